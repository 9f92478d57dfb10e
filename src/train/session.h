// Gathers everything that a run holds while it trains. open_session() prepares it: data, model, optimizer, and the
// state from which training goes on.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "cadence.h"
#include "longbow/checkpoint/checkpoint.h"
#include "longbow/data/batches.h"
#include "longbow/dist/data_parallel.h"
#include "longbow/model/language_model.h"
#include "longbow/optim/optimizer.h"
#include "longbow/train/trainer.h"
#include "run_data.h"

namespace longbow {

struct Session : RunData {
    Config config;
    std::filesystem::path run;
    c10::Device device{c10::kCPU};
    // Rows of the embedding: the tokenizer's ids, and what a checkpoint has beyond them that gave the weights.
    std::int64_t vocab_size = 0;
    std::optional<Bos> bos;  // LoadedCheckpoint::bos of that checkpoint, for this run's own checkpoints
    std::shared_ptr<LanguageModel> model;
    std::shared_ptr<Communicator> ranks;
    std::vector<at::Tensor> parameters;
    std::unique_ptr<DataParallel> parallel;
    std::unique_ptr<Optimizer> optimizer;  // for parallel->owned()
    std::unique_ptr<TrainingOrder> order;
    RunUnits units;
    std::int64_t warmup = 0;          // updates
    std::int64_t total_updates = -1;  // -1: train.stop is a time
    std::int64_t until_update = -1;   // that of TrainRequest
    TrainState state;
    std::int64_t saved_update = -1;  // update of the newest checkpoint on disk
    std::chrono::steady_clock::time_point opened = std::chrono::steady_clock::now();
    double seconds_before = 0;  // of earlier sessions of the run

    [[nodiscard]] double seconds() const {
        return seconds_before + std::chrono::duration<double>(std::chrono::steady_clock::now() - opened).count();
    }
    // Returns the number of updates that the schedule and train.stop count.
    [[nodiscard]] std::int64_t counted_updates() const {
        return state.updates - (config.train.count_skipped ? 0 : state.skipped_updates);
    }
    // Returns the place in the data where the next update begins.
    [[nodiscard]] DataPosition position() const { return {state.updates - state.order_updates, state.samples}; }
    [[nodiscard]] bool finished() const {
        if (until_update >= 0) return state.updates >= until_update;
        return total_updates >= 0 ? counted_updates() >= total_updates : state.train_seconds >= config.train.stop.value;
    }
};

RunUnits run_units(const TrainingOrder& order, const Config& config, const TrainState& state = {});
// Returns the number of updates in all, rounded up; -1 if train.stop is a time.
std::int64_t total_updates(const Config& config, const RunUnits& units);
// Returns the lengths of validation: eval.lengths, or the training length if that is empty. The first one decides which
// checkpoint is best.
std::vector<std::int64_t> validation_lengths(const Config& config);

// Opens data and model as the request says, resumes or forks if there is a checkpoint to start from, and throws as
// train() does.
Session open_session(const TrainRequest& request);

}  // namespace longbow
