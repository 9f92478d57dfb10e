// Training: one loop, read at one sitting; observers do logging, validation, checkpoints, the divergence guard and signals.
#pragma once

#include <filesystem>
#include <string>

#include "longbow/config/config.h"

namespace longbow {

struct TrainRequest {
    Config config;
    std::filesystem::path run_dir;
    std::string resume = "auto";     // auto | never | a checkpoint's path
    std::string device = "auto";     // auto | cpu | cuda[:N]
    int threads = 0;                 // 0: all cores
};

struct TrainSummary {
    std::int64_t updates = 0;
    double train_loss = 0;           // mean nll of the last log interval
    double best_valid_ppl = 0;       // 0: none
    std::filesystem::path checkpoint;
};

// Trains (or goes on) until train.stop. Throws InterruptedError after saving on a signal, DivergedError, ConfigError, DataError.
TrainSummary train(const TrainRequest& request);

// What `--dry-run` prints: parameters, tokens an update, updates, estimated memory and FLOPs, and what each later evaluation costs.
std::string training_plan(const TrainRequest& request);

}  // namespace longbow
