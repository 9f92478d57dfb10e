// Declares what happens beside the updates: lines of metrics, validation, checkpoints, and the end of a run that
// diverges.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "cadence.h"
#include "longbow/checkpoint/checkpoint.h"
#include "longbow/checkpoint/writer.h"
#include "longbow/core/json.h"
#include "longbow/eval/evaluator.h"
#include "longbow/telemetry/metrics.h"
#include "longbow/telemetry/progress.h"
#include "longbow/telemetry/tensorboard.h"
#include "update.h"

namespace longbow {

struct Session;

// Writes metrics.jsonl, TensorBoard events, log.txt and the progress line on rank 0. Other ranks write nothing.
class Metrics {
public:
    explicit Metrics(const Session& session);
    // Updates the progress line and, when due or if `last`, writes the row of the interval, which then begins anew in
    // session.state.
    void after_update(Session& session, const UpdateResult& result, bool last);
    void append(const Json& row);
    // Syncs the rows to disk, before a checkpoint that relies on them.
    void sync() {
        if (file_) file_->sync();
    }
    // Ends the progress line, so that other output starts at column 0.
    void pause() { progress_.finish(); }
    [[nodiscard]] double last_loss() const { return last_loss_; }

private:
    void write_row(Session& session, const UpdateResult& result);

    Cadence every_;
    std::unique_ptr<MetricsFile> file_;
    std::unique_ptr<EventFile> events_;
    ProgressLine progress_;
    RateMeter meter_;
    std::int64_t first_update_;
    double interval_seconds_ = 0;
    std::int64_t interval_tokens_ = 0;
    double tokens_per_second_ = 0;
    double last_line_ = -1e9;
    double last_loss_ = 0;
};

// Saves checkpoints in RUN/checkpoints.
class Checkpoints {
public:
    explicit Checkpoints(const Session& session);
    [[nodiscard]] bool due(const Session& session);
    // Saves the state unless it is on disk already, marks the best checkpoint and prunes old ones. The state is copied
    // now and written while training goes on. Weights that are not finite are not saved (DivergedError), nor are
    // weights that differ between ranks (Error).
    void save(Session& session, Metrics& metrics, bool state_changed = false);
    // Waits until everything saved is on disk. Throws Error if it could not be written (a full disk).
    void wait_until_saved();
    // Throws the same Error if a write has failed by now; does not wait.
    void check() { writer_.check(); }
    // Remembers the state as one before the first of several bad updates. It is where a run that diverges ends.
    void remember_good_state(const Session& session);
    // Saves the remembered state if the weights are still finite; returns the path of the newest checkpoint.
    std::filesystem::path save_before_divergence(Session& session, Metrics& metrics);

private:
    Cadence every_;
    TrainState good_state_;
    Communicator& ranks_;
    std::unique_ptr<Mailbox> mailbox_;  // for the writer; null without other ranks
    std::int64_t saves_ = 0;
    CheckpointWriter writer_;
};

// Runs validation by protocol `paper` at the configured lengths, on the whole split or its first eval.valid_tokens.
class Validation {
public:
    explicit Validation(const Session& session);
    // Returns whether validation is due after this update and has not run yet. (A run that was stopped during a
    // validation runs it when it is resumed.)
    [[nodiscard]] bool due(const Session& session, bool last);
    // Writes the rows of metrics.jsonl, and records the best validation in session.state. Returns whether this is the
    // best one. Throws InterruptedError on a signal.
    bool run(Session& session, Metrics& metrics);

private:
    Cadence every_;
    EvalPlans plans_;  // the same at each validation
};

}  // namespace longbow
