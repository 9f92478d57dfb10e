// The checkpoints that a command measures, one after the other: all are checked before the first forward pass, each has
// its model built once, when its turn comes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "longbow/checkpoint/checkpoint.h"

namespace longbow {

// What takes the place of a checkpoint's own settings; empty: as the checkpoint says.
struct ModelChoice {
    std::string dtype, attention;
};

struct MeasuredRun {
    LoadedCheckpoint checkpoint;   // its configuration holds the attention that was chosen; its model is absent until
                                   // model_on_device()
    std::filesystem::path folder;  // RUN of RUN/checkpoints/step-N; else the checkpoint's own folder (an imported one)
    std::string name;              // for tables and rows
    DType dtype = DType::fp32;     // of the computation
    std::string tokenizer;         // fingerprint
    std::int64_t max_length = 0;   // the longest window that its position method serves; 0: any
    [[nodiscard]] std::int64_t vocab_size() const { return checkpoint.manifest["vocab_size"].get<std::int64_t>(); }
};

// What the arguments stand for, in order and each once: RUN, RUN@last and the like (resolve_checkpoint()), or a folder
// of runs, of seeds say, which stands for all of them (also FOLDER@last). Each is verified, and a model without values
// shows that its weights fit and that its attention can be had; nothing is read into memory. `check` sees every run;
// what it throws is thrown on with the run's name where there are several. Throws CheckpointError that names the
// damaged file.
std::vector<MeasuredRun> load_runs(const std::vector<std::string>& arguments, const ModelChoice& choice,
                                   const std::function<void(const MeasuredRun&)>& check);

// The run's model on the device, for its computation's type and its attention. Drop run.checkpoint.model once it is
// measured.
LanguageModel& model_on_device(MeasuredRun& run, const std::string& device);

// Does the work and adds the run's name to what goes wrong, unless it is an interruption.
void named(const MeasuredRun& run, const std::function<void()>& work);

}  // namespace longbow
