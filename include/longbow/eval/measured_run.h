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
    std::vector<std::string> overrides{};  // "position.scaling=yarn"; as take_overrides() finds them
};

// Takes the texts that override a setting out of a command's arguments, in their order. One that is the path of
// something that exists stays. Throws UsageError for a setting that an evaluation may not override: all but position.*
// and attention.*.
std::vector<std::string> take_overrides(std::vector<std::string>& arguments);

struct MeasuredRun {
    // Its configuration has the chosen attention and the overrides; its model is absent until model_on_device().
    LoadedCheckpoint checkpoint;
    // Takes its results if nothing else is said: RUN of RUN/checkpoints/step-N; for other checkpoints (imported ones)
    // their own folder; for a public model, whose files are only read, the folder in which the program runs.
    std::filesystem::path folder;
    std::filesystem::path model_place;  // the folder or file of a public model; else empty
    std::string model;                  // a public model as the command named it; else empty
    std::string name;                   // for tables and rows
    DType dtype = DType::fp32;          // of the computation
    std::string tokenizer;              // fingerprint
    std::int64_t max_length = 0;        // the longest window that its position method serves; 0: any
    bool depends_on_length = false;     // PositionMethod::depends_on_length()
    std::string overrides{};            // "position.scaling=yarn position.factor=4"
    [[nodiscard]] std::int64_t vocab_size() const { return checkpoint.manifest["vocab_size"].get<std::int64_t>(); }
};

// Returns the runs that the arguments name, in order and each once. An argument is RUN, RUN@last and the like, or a
// public model (resolve_checkpoint()), or a folder of runs (for example of seeds), which stands for all of them
// (FOLDER@last too). A public model's name is that of its folder or file (run_name()); " rounded" follows it if it was
// asked for.
// Each checkpoint is verified, and a model without values is built to check that the weights fit and a back-end serves
// its attention; no weights are loaded. Overrides are logged. `check` is called for every run; with several runs its
// error gets the run's name. Throws CheckpointError that names the damaged file.
std::vector<MeasuredRun> load_runs(const std::vector<std::string>& arguments, const ModelChoice& choice,
                                   const std::function<void(const MeasuredRun&)>& check);

// Returns the run's model on the device, built for the computation's type and the chosen attention. The caller resets
// run.checkpoint.model when the run has been measured.
LanguageModel& model_on_device(MeasuredRun& run, const std::string& device);

// Returns whether the program runs in the folder of a public model, so that nothing may be written where it runs.
bool runs_in_model(const MeasuredRun& run);

// Calls `work` and adds the run's name to an error, unless it is an interruption.
void named(const MeasuredRun& run, const std::function<void()>& work);

}  // namespace longbow
