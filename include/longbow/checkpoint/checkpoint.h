// A checkpoint is a directory RUN/checkpoints/step-00000600/{manifest.json, model.safetensors,
// optimizer-00000-of-00001.safetensors, state.json, tokenizer files}, which is complete or absent. The symbolic links
// `last` and `best` lie beside the checkpoints of a run.
//
// A checkpoint is written in ".step-00000600.tmp-PID" beside its final place, synced, and renamed; each link is made
// under a temporary name and renamed over the old one. So a process may die at any point and a whole checkpoint
// remains. Fail points, in the order in which a save passes them:
//   checkpoint.before_model  .after_model  .after_optimizer  .after_state  .before_manifest  .before_rename
//   .after_rename  .before_last  .after_last, then mark_best: .before_best  .after_best, then prune: .before_prune
//   .in_prune (a checkpoint is half removed)
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "longbow/checkpoint/safetensors.h"
#include "longbow/checkpoint/tensor_slice.h"
#include "longbow/config/config.h"
#include "longbow/core/json.h"
#include "longbow/dist/communicator.h"
#include "longbow/model/language_model.h"
#include "longbow/optim/optimizer.h"
#include "longbow/text/bos.h"
#include "longbow/text/tokenizer.h"

namespace longbow {

// Holds what a resumed run needs besides weights and optimizer slots. No random state is stored: everything random is a
// function of (seed, update, micro-batch, rank).
struct TrainState {
    std::int64_t updates = 0;  // done so far
    std::int64_t samples = 0;  // consumed inputs, which are the place in the data
    std::int64_t tokens = 0;   // targets trained on
    std::int64_t optimizer_steps = 0;
    double loss_scale = 1.0;
    std::int64_t good_updates = 0;     // in a row since the last overflow (fp16)
    std::int64_t skipped_updates = 0;  // updates skipped because they were not finite, in all
    std::int64_t bad_updates = 0;      // updates skipped because they were not finite, in a row
    double best_nll = 0.0;             // mean validation nll of the best checkpoint; valid if best_update >= 0
    std::int64_t best_update = -1;
    std::int64_t validated_update = -1;  // the last update after which validation ran to its end
    // The sums since the last line of metrics.jsonl. With them, a run that is interrupted between two lines writes the
    // same next line.
    double interval_nll = 0.0;  // sum over tokens, in nats
    std::int64_t interval_tokens = 0;
    // Choices that are made once, when the run starts.
    // updates; kept so that later changes of train.stop leave the learning rates as they are.
    std::int64_t schedule_period = 0;
    std::string gemm_library = "aten";
    double train_seconds = 0.0;  // for durations in time and for reports
    std::string device = "cpu";  // on another device a resumed run is no longer exact, of which it warns
    int threads = 0;
    int ranks = 1;
    // For a run that was forked with inputs of other size or number, or with other data: what had been done before the
    // fork. Tokens and epochs count on from there.
    std::int64_t base_updates = 0, base_skipped = 0;
    double base_tokens = 0.0, base_epochs = 0.0;
    std::int64_t order_updates = 0;  // how many of `updates` were made before the present order of inputs began
};

Json to_json(const TrainState& state);
// Throws CheckpointError that names `file` if a field is missing or has the wrong type.
TrainState train_state_from_json(const Json& json, const std::string& file);

// Returns RUN/checkpoints/step-00000600 for update 600.
std::filesystem::path checkpoint_path(const std::filesystem::path& run, std::int64_t update);

// Writes RUN/checkpoints/step-N as one transaction, replacing an existing step-N, and then points RUN/checkpoints/last
// at it. Throws Error (full disk, permissions); older checkpoints are then unchanged.
void save_checkpoint(const std::filesystem::path& run, const LanguageModel& model, Optimizer* optimizer,
                     const TrainState& state, const Config& config, const Tokenizer& tokenizer,
                     const std::string& data_fingerprint);

// Says which rank writes a snapshot, and whether each rank holds a part of the optimizer's state.
struct CheckpointRanks {
    int rank = 0, world = 1;
    bool sharded = false;
};

// Holds a copy of a checkpoint's contents in host memory, independent of the model that goes on training. It is all
// that write_snapshot() needs, on any thread.
struct CheckpointSnapshot {
    CheckpointRanks ranks;
    std::vector<NamedTensor> model;  // rank 0's
    bool with_optimizer = false;
    std::vector<TensorSlice> optimizer;  // rank 0's whole, or each rank's own part when the optimizer is sharded
    Json about;                          // of the manifest
    std::map<std::string, std::string> metadata;
    TrainState state;
    const Tokenizer* tokenizer = nullptr;  // must outlive the snapshot
};
// `owned` are the tensors that the optimizer updates: the model's parameters, or flat views of parts of them
// (DataParallel::owned()).
CheckpointSnapshot take_snapshot(const LanguageModel& model, Optimizer* optimizer, const std::vector<at::Tensor>& owned,
                                 const TrainState& state, const Config& config, const Tokenizer& tokenizer,
                                 const std::string& data_fingerprint, const CheckpointRanks& ranks = {});
// Does what save_checkpoint() does. If the optimizer is sharded, all ranks do it together: each writes its file into
// rank 0's transaction, which is committed when all have. `sequence` distinguishes the saves of a run and is the same
// on every rank. A further fail point is checkpoint.after_share (a rank other than 0 has written its part).
void write_snapshot(const std::filesystem::path& run, const CheckpointSnapshot& snapshot, Mailbox* mailbox,
                    std::int64_t sequence);

// Points RUN/checkpoints/best at step-N, or removes the link if there is no step-N.
void mark_best(const std::filesystem::path& run, std::int64_t update);
// Removes all checkpoints but the newest `keep_last` and, with keep_best, the one that `best` points at.
void prune_checkpoints(const std::filesystem::path& run, std::int64_t keep_last, bool keep_best);
// Removes what a killed process left half written or half removed. The caller must hold the run's lock.
void clean_checkpoint_leftovers(const std::filesystem::path& run);
// Renames every checkpoint after `update` to "abandoned-step-N" and warns of it: the run resumes from `update`, and
// these do not belong to its history any more.
void abandon_checkpoints_after(const std::filesystem::path& run, std::int64_t update);

struct CheckpointEntry {
    std::int64_t update = 0;
    std::filesystem::path path;
};
// Returns the step-N directories of a run in ascending order. Their contents are not checked.
std::vector<CheckpointEntry> list_checkpoints(const std::filesystem::path& run);

// Returns RUN for RUN/checkpoints, which a shell's completion makes of a run's name; empty for any other folder.
std::filesystem::path run_of_checkpoints(const std::filesystem::path& folder);
// Resolves CHECKPOINT of a command line: a run directory (its best checkpoint, or else its last), a checkpoint
// directory, RUN@last, RUN@best, RUN@step=N, or a public model, which is imported into the cache (public_model.h).
// Throws CheckpointError or UsageError.
std::filesystem::path resolve_checkpoint(const std::string& text);
// Returns the newest checkpoint of a run that passes verify_checkpoint(). Damaged ones are skipped with a warning.
// The result is nullopt if there is none.
std::optional<std::filesystem::path> newest_whole_checkpoint(const std::filesystem::path& run);
// Checks sizes and hashes against the manifest. Throws CheckpointError that names the damaged file.
void verify_checkpoint(const std::filesystem::path& checkpoint);

struct LoadedCheckpoint {
    std::filesystem::path path;
    Config config;
    Json manifest;
    TrainState state;
    std::shared_ptr<LanguageModel> model;
    std::unique_ptr<Tokenizer> tokenizer;
    std::string fingerprint;  // of model.safetensors
    // What the model's family does with a BOS: the manifest's "bos", a name of Bos, which an import writes. Absent in
    // checkpoints of our own training, whose streams begin with the boundary and whose windows do not.
    std::optional<Bos> bos;
};
// These read the manifest, state or configuration of a checkpoint without its weights, and verify no hashes.
Json read_manifest(const std::filesystem::path& checkpoint);
TrainState read_train_state(const std::filesystem::path& checkpoint);
Config read_checkpoint_config(const std::filesystem::path& checkpoint);
// Rows of the embedding, as a manifest says it; 0 if it does not. Padding may make them more than the tokenizer's ids.
std::int64_t vocab_size_of(const Json& manifest);
// What a manifest says of LoadedCheckpoint::bos. Throws CheckpointError that names `checkpoint`.
std::optional<Bos> bos_of_manifest(const Json& manifest, const std::filesystem::path& checkpoint);
// Verifies the checkpoint and loads all of it except the model, for callers that build the model differently from how
// it was trained.
LoadedCheckpoint open_checkpoint(const std::filesystem::path& checkpoint);
// Builds a model of this configuration, which is the checkpoint's or differs in type or attention, with the
// checkpoint's weights, in evaluation mode.
std::shared_ptr<LanguageModel> load_model(const LoadedCheckpoint& checkpoint, const Config& config);
// Does what open_checkpoint() does and loads the model as it was trained.
LoadedCheckpoint load_checkpoint(const std::filesystem::path& checkpoint);
// Says whether a checkpoint's position method may have other parameters than the model's.
enum class PositionWeights { same, may_differ };
// Names the parameters of position methods (as stored tensors) that a model has and a checkpoint lacks, by name or by
// shape, and the other way round.
struct PositionChange {
    std::vector<std::string> added, dropped;
};
PositionChange position_change(const std::filesystem::path& checkpoint, const LanguageModel& model);
// Throws CheckpointError unless the checkpoint has exactly the model's tensors, with the same shapes, save those of
// modifiers of the position method (modifier_parameters()), which it may lack. The model may be without values (Meta
// device).
void check_weights(const std::filesystem::path& checkpoint, const LanguageModel& model);
// Loads only the weights into an existing model (init_from, resume). Throws CheckpointError that names the tensor if
// one is missing, surplus or has the wrong shape; what may be missing keeps its first value.
void load_weights(const std::filesystem::path& checkpoint, LanguageModel& model,
                  PositionWeights positions = PositionWeights::same);
// Loads the optimizer's state from the checkpoint's files, whatever the number of ranks that wrote them. `owned` is as
// for take_snapshot().
void load_optimizer(const std::filesystem::path& checkpoint, const LanguageModel& model, Optimizer& optimizer,
                    const std::vector<at::Tensor>& owned, PositionWeights positions = PositionWeights::same);

}  // namespace longbow
