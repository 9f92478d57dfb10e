// Writes the trainer's metrics and progress line.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <ctime>

#include "longbow/core/strings.h"
#include "longbow/model/autocast.h"
#include "longbow/model/device_memory.h"
#include "longbow/telemetry/log.h"
#include "longbow/telemetry/number_text.h"
#include "observers.h"
#include "session.h"

namespace longbow {

namespace {

constexpr double kPlainInterval = 10;  // seconds between log lines if stderr is no terminal and shows no progress line

// Returns whether a row of metrics.jsonl belongs to the history of this state. A validation that was cut short is run
// again from its first length, so its rows do not count.
bool belongs_to(const TrainState& state, const Json& row) {
    const auto update = row.value("update", std::int64_t{-1});
    if (update < 0 || update > state.updates) return false;
    return row.value("event", "") != "valid" || update <= state.validated_update;
}

// If the loss is not finite, no update since the last line had a finite one. In fp16 that is an overflow, which a
// smaller loss scale ends, and not a divergence.
std::string loss_text(const Config& config, double loss) {
    return std::isfinite(loss) || config.train.dtype == DType::fp16 ? number_or_dash(loss, 4) : "diverged";
}

Json finite_or_null(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

// Returns the share of attention's blocks that is visited on the next training input with the present weights. It is
// measured in an extra pass over that input, so that it depends on the state alone (and is the same after a resume) and
// costs the updates nothing.
double visited_now(Session& session) {
    const auto& config = session.config.train;
    auto& attention = session.model->attention();
    const at::NoGradGuard no_grad;
    const AutocastScope autocast(session.device.type(), scalar_type(config.dtype));
    auto blocks = session.order->micro_batch(session.position(), 0);
    blocks.resize(1);
    auto input = at::empty({1, config.length}, at::kLong);
    auto target = at::empty_like(input);
    fill_batch(*session.train, blocks, config.length, input.mutable_data_ptr<std::int64_t>(),
               target.mutable_data_ptr<std::int64_t>());
    session.model->eval();
    attention.measure_visited(true);
    session.model->hidden(input);
    attention.measure_visited(false);
    session.model->train();
    return attention.visited().value_or(1.0);
}

}  // namespace

Metrics::Metrics(const Session& session)
    : every_(session.config.log.every, session.units, session.state.train_seconds),
      progress_(0),
      first_update_(session.counted_updates()) {
    if (!session.ranks->leader()) return;
    file_ = std::make_unique<MetricsFile>(session.run / "metrics.jsonl",
                                          [&](const Json& row) { return belongs_to(session.state, row); });
    if (!session.config.log.tensorboard) return;
    events_ = std::make_unique<EventFile>(session.run / "tensorboard");
    for (const auto& row : file_->kept()) write_scalars(*events_, row);
    events_->flush();
}

void Metrics::append(const Json& row) {
    if (!file_) return;
    Json timed = row;
    timed["timing"]["time"] = static_cast<double>(std::time(nullptr));
    file_->append(timed);
    if (!events_) return;
    write_scalars(*events_, timed);
    events_->flush();
}

void Metrics::write_row(Session& session, const UpdateResult& result) {
    auto& state = session.state;
    const double loss =
        state.interval_tokens > 0 ? state.interval_nll / static_cast<double>(state.interval_tokens) : NAN;
    Json row = {{"event", "train"},
                {"update", state.updates},
                {"tokens", state.tokens},
                {"epoch", session.units.epochs_at(static_cast<double>(state.updates))},
                {"loss", finite_or_null(loss)},
                {"ppl", finite_or_null(std::exp(loss))},
                {"lr", result.lr},
                {"grad_norm", finite_or_null(result.grad_norm)}};
    if (session.config.train.dtype == DType::fp16) row["loss_scale"] = state.loss_scale;
    if (state.skipped_updates > 0) row["skipped"] = state.skipped_updates;
    if (file_ && session.model->attention().skips()) row["visited_fraction"] = visited_now(session);
    row["timing"] = {{"seconds", state.train_seconds},
                     {"tokens_per_second", tokens_per_second_},
                     {"memory_mb", peak_memory_mb(session.device.str())}};
    append(row);
    last_loss_ = loss;
    state.interval_nll = 0;
    state.interval_tokens = 0;
}

void Metrics::after_update(Session& session, const UpdateResult& result, bool last) {
    const auto& state = session.state;
    interval_seconds_ += result.seconds;
    interval_tokens_ += result.tokens;
    const bool due = every_.due(state.updates, state.train_seconds) || last;
    if (due || tokens_per_second_ == 0) tokens_per_second_ = static_cast<double>(interval_tokens_) / interval_seconds_;
    if (file_ && session.total_updates > first_update_) {
        share_with_parent(static_cast<double>(session.counted_updates() - first_update_) /
                          static_cast<double>(session.total_updates - first_update_));
    }
    if (!due && !stderr_is_terminal()) return;

    const double loss =
        state.interval_tokens > 0 ? state.interval_nll / static_cast<double>(state.interval_tokens) : NAN;
    // The number that train.stop counts; updates skipped for an overflow may be left out of it (train.count_skipped).
    const auto counted = session.counted_updates();
    const auto done = static_cast<double>(counted - first_update_);
    const double eta = session.total_updates >= 0
                           ? meter_.eta(done, static_cast<double>(session.total_updates - first_update_))
                           : std::max(0.0, session.config.train.stop.value - state.train_seconds);
    const std::string total = session.total_updates >= 0 ? "/" + std::to_string(session.total_updates) : "";
    const std::vector<ProgressColumn> columns{
        {eta_text(eta)},
        {fmt::format("update {}{}", counted, total)},
        {"loss " + loss_text(session.config, loss)},
        {"ppl " + number_or_dash(std::exp(loss), 2)},
        {state.skipped_updates > 0 ? fmt::format("skipped {}", state.skipped_updates) : ""},
        {human_count(tokens_per_second_) + " tokens/s"},
        {fmt::format("lr {:.3g}", result.lr)},
        {std::isfinite(result.grad_norm) ? fmt::format("|g| {:.3g}", result.grad_norm) : "|g| -"},
        {fmt::format("tensors {:.0f} MB", peak_memory_mb(session.device.str()))}};
    if (file_) progress_.show(columns, last);
    if (!due) return;
    write_row(session, result);
    interval_seconds_ = 0;
    interval_tokens_ = 0;
    if (!file_) return;
    const bool speak = !stderr_is_terminal() && (last || meter_.elapsed() - last_line_ >= kPlainInterval);
    if (speak) last_line_ = meter_.elapsed();
    const auto line = progress_text(columns);
    speak ? log::info(line) : log::to_file(line);
}

}  // namespace longbow
