// Opens the checkpoints that a command measures one after the other. All are checked before the first forward pass;
// each has its model built once, when its turn comes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "longbow/checkpoint/checkpoint.h"

namespace longbow {

// Holds the settings that replace a checkpoint's own. An empty text means the checkpoint's own.
struct ModelChoice {
    std::string dtype, attention;
};

struct MeasuredRun {
    // Its configuration has the chosen attention; its model is absent until model_on_device().
    LoadedCheckpoint checkpoint;
    // RUN of RUN/checkpoints/step-N; for other checkpoints (imported ones) their own folder.
    std::filesystem::path folder;
    std::string name;             // for tables and rows
    DType dtype = DType::fp32;    // of the computation
    std::string tokenizer;        // fingerprint
    std::int64_t max_length = 0;  // the longest window that its position method serves; 0: any
    [[nodiscard]] std::int64_t vocab_size() const { return checkpoint.manifest["vocab_size"].get<std::int64_t>(); }
};

// Returns the runs that the arguments name, in order and each once. An argument is RUN, RUN@last and the like
// (resolve_checkpoint()), or a folder of runs (for example of seeds), which stands for all of them (FOLDER@last too).
// Each checkpoint is verified, and a model without values is built to check that the weights fit and a back-end serves
// its attention; no weights are loaded. `check` is called for every run; with several runs its error gets the run's
// name. Throws CheckpointError that names the damaged file.
std::vector<MeasuredRun> load_runs(const std::vector<std::string>& arguments, const ModelChoice& choice,
                                   const std::function<void(const MeasuredRun&)>& check);

// Returns the run's model on the device, built for the computation's type and the chosen attention. The caller resets
// run.checkpoint.model when the run has been measured.
LanguageModel& model_on_device(MeasuredRun& run, const std::string& device);

// Calls `work` and adds the run's name to an error, unless it is an interruption.
void named(const MeasuredRun& run, const std::function<void()>& work);

}  // namespace longbow
