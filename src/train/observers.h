// What happens after an update beside the update: lines of metrics, validation, checkpoints, the end of a run that diverges.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "cadence.h"
#include "longbow/checkpoint/checkpoint.h"
#include "longbow/checkpoint/writer.h"
#include "longbow/core/json.h"
#include "longbow/telemetry/metrics.h"
#include "longbow/telemetry/progress.h"
#include "longbow/telemetry/tensorboard.h"
#include "update.h"

namespace longbow {

struct Session;

// metrics.jsonl, TensorBoard, log.txt and the progress line: rank 0's. On the other ranks nothing is written.
class Metrics {
public:
    explicit Metrics(const Session& session);
    // The progress line, and when due (`last`: in any case) a row of the interval, which it closes in session.state.
    void after_update(Session& session, const UpdateResult& result, bool last);
    void append(const Json& row);
    // Rows on the disk, before a checkpoint that counts on them.
    void sync() {
        if (file_) file_->sync();
    }
    // Leaves the progress line, so that other output starts at column 0.
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

// RUN/checkpoints.
class Checkpoints {
public:
    explicit Checkpoints(const Session& session);
    [[nodiscard]] bool due(const Session& session);
    // Saves the state, unless it is on the disk already; marks the best and prunes. The state is copied now and written while training
    // goes on. Weights that are not finite are never saved: DivergedError instead; nor are those of ranks that differ: Error.
    void save(Session& session, Metrics& metrics, bool state_changed = false);
    // Waits until what was saved is on the disk. Throws Error (a full disk) if it could not be written.
    void settle();
    // Throws the same as soon as it is known, without waiting.
    void check() { writer_.check(); }
    // Where a run that diverges leaves off: a state of before the first of the bad updates.
    void remember_good(const Session& session);
    // Saves the remembered state if the weights are finite still; returns the newest checkpoint's path.
    std::filesystem::path save_before_divergence(Session& session, Metrics& metrics);

private:
    Cadence every_;
    TrainState good_;
    Communicator& ranks_;
    std::unique_ptr<Mailbox> mailbox_;  // the writer's; none when alone
    std::int64_t saves_ = 0;
    CheckpointWriter writer_;
};

// Validation by the paper's protocol at the configured lengths, on the whole split or its first eval.valid_tokens.
class Validation {
public:
    explicit Validation(const Session& session);
    // After this update, and not done yet (a run that was stopped before it could be)?
    [[nodiscard]] bool due(const Session& session, bool last);
    // Rows in metrics.jsonl; records the best in session.state and returns whether this is it. Throws InterruptedError on a signal.
    bool run(Session& session, Metrics& metrics) const;

private:
    Cadence every_;
};

}  // namespace longbow
