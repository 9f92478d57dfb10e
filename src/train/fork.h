// Determines what a forked run takes over from its source checkpoint.
#pragma once

#include <string>
#include <vector>

#include "longbow/checkpoint/checkpoint.h"
#include "longbow/data/batches.h"
#include "longbow/train/fork.h"

namespace longbow {

struct ForkPlan {
    TrainState state;         // with which the new run starts
    bool optimizer = false;   // whether its state is taken over; else it starts anew
    bool new_period = false;  // the schedule's length is computed anew from the new settings
    // What is taken over, for the log and the dry run.
    std::vector<std::string> lines;
};

// Decides what a fork takes over. `train` is the new run's training data. Throws DataError if its tokenizer is not the
// checkpoint's.
ForkPlan plan_fork(const std::filesystem::path& checkpoint, const Config& config, const TokenStream& train,
                   const std::string& tokenizer);

// Says whether a fork's position method may have other parameters than the checkpoint's: where `position` changes.
PositionWeights fork_positions(const std::filesystem::path& checkpoint, const Config& config);
// Throws ConfigError if tensors differ in name or shape, apart from what fork_positions() allows; the message names
// them and the settings that made them differ.
void check_fork_weights(const std::filesystem::path& checkpoint, const Config& config, const LanguageModel& model);

// Returns whether `from` is a run's directory without a suffix that chooses a checkpoint; then the last one is meant.
bool names_a_run(const std::string& from);

// Writes RUN/fork.json, which says where the run was forked from.
void write_fork(const std::filesystem::path& run, const Fork& fork);
// `run` has checkpoints. Throws UsageError if it is not a fork of `from`.
void check_same_fork(const std::filesystem::path& run, const std::string& from);

}  // namespace longbow
