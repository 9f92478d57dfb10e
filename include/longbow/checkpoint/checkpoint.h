// Checkpoints: RUN/checkpoints/step-00000600/{manifest.json, model.safetensors, optimizer-00000-of-00001.safetensors, state.json,
// tokenizer files}, whole or absent, and beside them the symbolic links `last` and `best`.
//
// A checkpoint is written in ".step-00000600.tmp-PID" beside its place, synced, and renamed; the links are made anew and renamed over
// the old ones. So a process may die anywhere and a whole checkpoint stays. Fail points, in the order in which a save passes them:
//   checkpoint.before_model  .after_model  .after_optimizer  .after_state  .before_manifest  .before_rename  .after_rename
//   .before_last  .after_last, then mark_best: .before_best  .after_best, then prune: .before_prune  .in_prune (one is half removed)
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "longbow/checkpoint/safetensors.h"
#include "longbow/config/config.h"
#include "longbow/core/json.h"
#include "longbow/dist/data_parallel.h"
#include "longbow/model/language_model.h"
#include "longbow/optim/optimizer.h"
#include "longbow/text/tokenizer.h"

namespace longbow {

// What a resumed run needs besides weights and optimizer slots; everything random is a function of (seed, update, micro-batch, rank).
struct TrainState {
    std::int64_t updates = 0;  // done
    std::int64_t samples = 0;  // consumed sequences: the place in the data
    std::int64_t tokens = 0;   // trained on (targets)
    std::int64_t optimizer_steps = 0;
    double loss_scale = 1.0;
    std::int64_t good_updates = 0;     // since the last overflow (fp16)
    std::int64_t skipped_updates = 0;  // non-finite, total
    std::int64_t bad_updates = 0;      // non-finite, consecutive
    double best_nll = 0.0;             // mean validation nll of the best checkpoint; valid if best_update >= 0
    std::int64_t best_update = -1;
    std::int64_t validated_update = -1;  // the last update after which validation ran to its end
    // Since the last line of metrics.jsonl, so that a run interrupted between two lines writes the same next one.
    double interval_nll = 0.0;  // sum over tokens
    std::int64_t interval_tokens = 0;
    // Choices made once a run, when it starts.
    std::int64_t schedule_period = 0;  // updates; later changes of train.stop leave the learning rates as they are
    std::string gemm_library = "aten";
    double train_seconds = 0.0;  // for durations in time and for reports
    std::string device = "cpu";  // resume elsewhere is exact no longer: it warns
    int threads = 0;
    int ranks = 1;
    // Of a run that was forked with other inputs an update, or other data: what lay behind it, from where tokens and epochs count on.
    std::int64_t base_updates = 0, base_skipped = 0;
    double base_tokens = 0.0, base_epochs = 0.0;
    std::int64_t order_updates = 0;  // of `updates`, those before the present order of inputs began
};

Json to_json(const TrainState& state);
TrainState train_state_from_json(const Json& json, const std::string& file);

// RUN/checkpoints/step-00000600
std::filesystem::path checkpoint_path(const std::filesystem::path& run, std::int64_t update);

// Writes RUN/checkpoints/step-N as one transaction and then points RUN/checkpoints/last at it; takes the place of a step-N that is
// there already. Throws Error (full disk, permissions), which leaves older checkpoints as they were.
void save_checkpoint(const std::filesystem::path& run, const LanguageModel& model, Optimizer* optimizer, const TrainState& state,
                     const Config& config, const Tokenizer& tokenizer, const std::string& data_fingerprint);

// Which of the ranks writes, and whether each of them holds a part of the optimizer's state.
struct CheckpointRanks {
    int rank = 0, world = 1;
    bool sharded = false;
};

// A checkpoint in host memory, apart from the model that goes on training: what write_snapshot() needs, on any thread.
struct CheckpointSnapshot {
    CheckpointRanks ranks;
    std::vector<NamedTensor> model, optimizer;  // rank 0's, and each rank's own part when the optimizer is sharded
    bool with_optimizer = false;
    Json ranges, about;  // of the optimizer's tensors; of the manifest
    std::map<std::string, std::string> metadata;
    TrainState state;
    const Tokenizer* tokenizer = nullptr;  // must outlive the snapshot
};
// `pieces`: which part of its parameters each of the optimizer's tensors is of (empty: the whole).
CheckpointSnapshot take_snapshot(const LanguageModel& model, Optimizer* optimizer, const std::vector<ParameterPiece>& pieces,
                                 const TrainState& state, const Config& config, const Tokenizer& tokenizer,
                                 const std::string& data_fingerprint, const CheckpointRanks& ranks = {});
// What save_checkpoint() does, by all ranks together when the optimizer is sharded: each writes its file into rank 0's transaction, which
// is committed when all have. `sequence` tells the saves of a run apart, the same on every rank. Fail points besides: checkpoint.after_share
// (a rank other than 0 has written its part).
void write_snapshot(const std::filesystem::path& run, const CheckpointSnapshot& snapshot, Mailbox* mailbox, std::int64_t sequence);

// Points RUN/checkpoints/best at step-N, or removes the link when there is none.
void mark_best(const std::filesystem::path& run, std::int64_t update);
// Removes all but the newest `keep_last` and, with keep_best, the one that `best` points at.
void prune_checkpoints(const std::filesystem::path& run, std::int64_t keep_last, bool keep_best);
// Removes what a killed process left half written or half removed. Only for the holder of the run's lock.
void clean_checkpoint_leftovers(const std::filesystem::path& run);
// Renames every checkpoint after `update` to "abandoned-step-N" (warning): a run goes on from `update`, and its line has no other.
void abandon_checkpoints_after(const std::filesystem::path& run, std::int64_t update);

struct CheckpointEntry {
    std::int64_t update = 0;
    std::filesystem::path path;
};
// The step-N directories of a run, ascending; not looked into.
std::vector<CheckpointEntry> list_checkpoints(const std::filesystem::path& run);

// RUN of RUN/checkpoints, which a shell's completion makes of a run's name; empty for any other folder.
std::filesystem::path run_of_checkpoints(const std::filesystem::path& folder);
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
    std::string fingerprint;  // of model.safetensors
};
// The configuration, manifest and state of a checkpoint, without its weights (not verified).
Json read_manifest(const std::filesystem::path& checkpoint);
TrainState read_train_state(const std::filesystem::path& checkpoint);
Config read_checkpoint_config(const std::filesystem::path& checkpoint);
// Verifies, builds the model from the stored configuration and loads its weights.
LoadedCheckpoint load_checkpoint(const std::filesystem::path& checkpoint);
// Weights only into an existing model (init_from, resume): every tensor must be there, with the right shape; clear errors.
void load_weights(const std::filesystem::path& checkpoint, LanguageModel& model);
// The optimizer's state from the files of however many ranks wrote it; `pieces` as for take_snapshot().
void load_optimizer(const std::filesystem::path& checkpoint, const LanguageModel& model, Optimizer& optimizer,
                    const std::vector<ParameterPiece>& pieces = {});

}  // namespace longbow
