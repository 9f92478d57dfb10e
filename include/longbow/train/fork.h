// Implements `longbow train --from`: a run starts from another run's checkpoint, with its weights, optimizer state and
// place in the data, under settings of its own.
//
//     const auto source = open_fork("runs/alibi@step=400", "runs/alibi-slow");
//     const auto loaded = load_with_origins({{}, {"optim.lr=1e-4"}, source.config, source.config_name}, context);
//     check_fork_settings(loaded);
//     TrainRequest request{.config = loaded.config, .origins = loaded.origins,
//                          .run_dir = "runs/alibi-slow", .fork = source.fork};
#pragma once

#include <filesystem>
#include <string>

#include "longbow/config/load.h"
#include "longbow/core/json.h"
#include "longbow/train/trainer.h"

namespace longbow {

struct ForkSource {
    Json config;  // of the source run; it becomes LoadRequest::base
    // The file that the configuration came from, for messages.
    std::string config_name;
    Fork fork;
};

// Finds the source of a fork. `from` is RUN (its last checkpoint), RUN@last, RUN@best, RUN@step=N or a checkpoint
// directory. If `run_dir` already holds a fork of it, RUN_DIR/fork.json is used, so the source checkpoint may be gone.
// Throws CheckpointError if there is no such checkpoint, UsageError if `run_dir` holds another run.
ForkSource open_fork(const std::string& from, const std::filesystem::path& run_dir);

// Throws for settings that a fork cannot take: UsageError for train.init_from, ConfigError for model.init, which has no
// effect in a fork.
void check_fork_settings(const LoadedConfig& loaded);

}  // namespace longbow
