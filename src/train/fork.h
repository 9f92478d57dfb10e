// What a forked run takes over from the checkpoint that it starts from.
#pragma once

#include <string>
#include <vector>

#include "longbow/checkpoint/checkpoint.h"
#include "longbow/data/batches.h"
#include "longbow/train/fork.h"

namespace longbow {

struct ForkPlan {
    TrainState state;         // of the new run's start
    bool optimizer = false;   // its state is taken over; false: it starts anew
    bool new_period = false;  // the schedule's length follows from the new settings
    std::vector<std::string> lines;
};

// `train`: the new run's data. Throws DataError when they have another tokenizer than the checkpoint.
ForkPlan plan_fork(const std::filesystem::path& checkpoint, const Config& config, const TokenStream& train, const std::string& tokenizer);

// Throws ConfigError that names the tensors whose names or shapes differ, and the settings that made them so.
void check_fork_weights(const std::filesystem::path& checkpoint, const Config& config, const LanguageModel& model);

// Whether `from` is a run's directory, with no word of which checkpoint: the last one then.
bool names_a_run(const std::string& from);

// RUN/fork.json.
void write_fork(const std::filesystem::path& run, const Fork& fork);
// Throws UsageError when the run, which has checkpoints, is no fork of `from`.
void check_same_fork(const std::filesystem::path& run, const std::string& from);

}  // namespace longbow
