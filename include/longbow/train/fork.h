// `longbow train --from`: a run that starts where another has come to, with its weights, its optimizer's state and its place in the data, under
// settings of its own.
//
//     const auto source = open_fork("runs/alibi@step=400", "runs/alibi-slow");
//     const auto loaded = load_with_origins({{}, {"optim.lr=1e-4"}, source.config, source.config_name}, context);
//     check_fork_settings(loaded);
//     TrainRequest request{.config = loaded.config, .origins = loaded.origins, .run_dir = "runs/alibi-slow", .fork = source.fork};
#pragma once

#include <filesystem>
#include <string>

#include "longbow/config/load.h"
#include "longbow/core/json.h"
#include "longbow/train/trainer.h"

namespace longbow {

struct ForkSource {
    Json config;  // of the run that is forked: LoadRequest::base
    std::string config_name;
    Fork fork;
};

// `from`: RUN (its last checkpoint), RUN@last, RUN@best, RUN@step=N or a checkpoint directory. When `run_dir` is a fork of it already, what
// RUN_DIR/fork.json holds serves, and the checkpoint that it came from may be gone. Throws CheckpointError (none there), UsageError (`run_dir`
// holds another run).
ForkSource open_fork(const std::string& from, const std::filesystem::path& run_dir);

// Settings that a fork cannot take: UsageError for train.init_from, ConfigError for model.init, which has no effect.
void check_fork_settings(const LoadedConfig& loaded);

}  // namespace longbow
