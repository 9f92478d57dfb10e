// Checkpoints: DIR/{manifest.json, model.safetensors, optimizer-00000-of-00001.safetensors, state.json, tokenizer files}, whole or absent.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/core/json.h"
#include "longbow/model/language_model.h"
#include "longbow/optim/optimizer.h"
#include "longbow/text/tokenizer.h"

namespace longbow {

// What a resumed run needs besides weights and optimizer slots; everything random is a function of (seed, update, micro-batch, rank).
struct TrainState {
    std::int64_t updates = 0;            // done
    std::int64_t samples = 0;            // consumed sequences: the place in the data
    std::int64_t tokens = 0;             // trained on (targets)
    std::int64_t optimizer_steps = 0;
    double loss_scale = 1.0;
    std::int64_t good_updates = 0;       // since the last overflow (fp16)
    std::int64_t skipped_updates = 0;    // non-finite, total
    std::int64_t bad_updates = 0;        // non-finite, consecutive
    double best_nll = 0.0;               // mean validation nll of the best checkpoint; valid if best_update >= 0
    std::int64_t best_update = -1;
    double train_seconds = 0.0;          // for durations in time and for reports
    std::string gemm_library = "aten";
};

Json to_json(const TrainState& state);
TrainState train_state_from_json(const Json& json, const std::string& file);

// RUN/checkpoints/step-00000600
std::filesystem::path checkpoint_path(const std::filesystem::path& run, std::int64_t update);

// Writes RUN/checkpoints/step-N as one transaction (fail points at every step) and then points RUN/checkpoints/last at it.
void save_checkpoint(const std::filesystem::path& run, const LanguageModel& model, Optimizer* optimizer, const TrainState& state,
                     const Config& config, const Tokenizer& tokenizer, const std::string& data_fingerprint);
void mark_best(const std::filesystem::path& run, std::int64_t update);
// Removes all but the newest `keep_last` and the best.
void prune_checkpoints(const std::filesystem::path& run, std::int64_t keep_last, bool keep_best);

// CHECKPOINT on the command line: a run directory (its best, or last), a checkpoint directory, RUN@last, RUN@best, RUN@step=N.
std::filesystem::path resolve_checkpoint(const std::string& text);
// The newest whole checkpoint of a run; damaged ones are named in a warning and passed over. nullopt: none.
std::optional<std::filesystem::path> newest_whole_checkpoint(const std::filesystem::path& run);
// Sizes and hashes against the manifest; throws CheckpointError that names the damaged file.
void verify_checkpoint(const std::filesystem::path& checkpoint);

struct LoadedCheckpoint {
    std::filesystem::path path;
    Config config;
    Json manifest;
    TrainState state;
    std::shared_ptr<LanguageModel> model;
    std::unique_ptr<Tokenizer> tokenizer;
    std::string fingerprint;             // of the weights
};
// Verifies, builds the model from the stored configuration and loads its weights.
LoadedCheckpoint load_checkpoint(const std::filesystem::path& checkpoint);
// Weights only into an existing model (init_from, resume): every tensor must be there, with the right shape; clear errors.
void load_weights(const std::filesystem::path& checkpoint, LanguageModel& model);
void load_optimizer(const std::filesystem::path& checkpoint, const LanguageModel& model, Optimizer& optimizer);

}  // namespace longbow
