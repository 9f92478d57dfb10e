// Runs a plan's windows through a model. Windows of equal shape form batches, and only their scored suffix goes through
// the output head.
#include "longbow/eval/evaluator.h"

#include <fmt/core.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <utility>

#include "longbow/config/context.h"
#include "longbow/config/fields.h"
#include "longbow/core/error.h"
#include "longbow/core/failpoint.h"
#include "longbow/core/hash.h"
#include "longbow/core/signals.h"
#include "longbow/core/strings.h"
#include "longbow/model/autocast.h"
#include "longbow/model/flops.h"
#include "longbow/model/linear.h"
#include "longbow/position/draw.h"
#include "longbow/position/position_method.h"
#include "longbow/telemetry/log.h"
#include "partial.h"
#include "score.h"

namespace longbow {

namespace {

constexpr double kPartialInterval = 60;  // seconds between saves of partial results, so that a kill costs little

// Returns a hash of everything that the bits of the losses depend on.
std::string partial_key(LanguageModel& model, const TokenStream& stream, const EvalRequest& request) {
    Hasher hasher;
    for (const auto& stored : model.stored_tensors()) {
        const auto value = stored.tensor.detach().to(torch::kCPU).contiguous();
        hasher.update(stored.name);
        hasher.update(value.data_ptr(), value.nbytes());
    }
    std::vector<Field> positions;
    for (auto& field : effective_fields(model.config(), registered_config_context())) {
        if (field.section == "position") positions.push_back(std::move(field));
    }
    hasher.update(fmt::format("|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{:a}|{}", stream.fingerprint(), request.protocol,
                              request.length, request.stride, request.within_documents ? 1 : 0,
                              request.max_batch_tokens, request.max_stream_tokens, name_of(request.dtype),
                              model.parameters().front().device().str(), fields_fingerprint(model.config(), positions),
                              model.attention().name(), model.config().attention.skip_threshold,
                              to_string(gemm_library())));
    Measurement how;
    take_settings(how, request);
    hasher.update(how.key(Measurement::kRules));
    return hasher.digest();
}

// Saves the finished losses. The caller has them in memory, so a file that cannot be written is only a warning.
void save_all_losses(const std::filesystem::path& partial, const std::string& key, const std::vector<double>& nll,
                     DType dtype) {
    try {
        write_partial(partial, key, nll, nll.size(), dtype);
    } catch (const Error& error) {
        log::warn(std::string(error.what()) + "; an interruption will lose what is measured");
    }
}

// Is one evaluation in progress. In each round every rank computes one batch, so that the losses after a round are a
// beginning of the stream. They can be saved, and resumed from by any number of ranks.
class Evaluation {
public:
    Evaluation(LanguageModel& model, const TokenStream& stream, const EvalPlan& plan, const EvalOptions& options)
        : model_(model),
          stream_(stream),
          options_(options),
          share_(options.share),
          world_(static_cast<std::size_t>(share_.world)),
          rank_(static_cast<std::size_t>(share_.rank)),
          dtype_(plan.request.dtype),
          windows_(forward_windows(model, plan.windows)),
          unscored_(unscored_inputs(model, plan)),
          batches_(make_batches(windows_, plan.request.max_batch_tokens)),
          forward_(model),
          total_(plan.scored()),
          nll_(static_cast<std::size_t>(total_)),
          own_progress_(total_flops()),
          progress_(options.whole != nullptr ? *options.whole : own_progress_) {
        if (!options_.partial.empty()) key_ = partial_key(model, stream, plan.request);
    }

    std::vector<double> run() {
        auto next = resume();
        meter_ = RateMeter();
        for (; next < batches_.size(); next += world_) run_round(next);
        share_.sum(nll_);
        finish();
        return std::move(nll_);
    }

private:
    [[nodiscard]] double flops_of(const EvalBatch& batch) const {
        return static_cast<double>(batch.count) * forward_.window(batch.inputs, batch.scored);
    }

    [[nodiscard]] double total_flops() const {
        double total = 0;
        for (const auto& batch : batches_) total += flops_of(batch);
        return total;
    }

    // Loads the losses that an interrupted call saved. Returns the first batch that is left to compute.
    std::size_t resume() {
        const auto& label = options_.label;
        const auto kept = rank_ == 0 ? read_partial(options_.partial, key_, dtype_) : std::vector<double>();
        std::copy_n(kept.begin(), std::min(kept.size(), nll_.size()), nll_.begin());
        if (!kept.empty() && !label.empty()) {
            log::info(fmt::format("{}: continuing after {} of {} tokens", label,
                                  with_commas(static_cast<std::int64_t>(kept.size())), with_commas(total_)));
        }
        std::size_t place = 0, next = 0;
        const auto known = std::stoull(share_.from_leader(std::to_string(kept.size())));
        for (const auto& batch : batches_) {
            begins_.push_back(place);
            place += batch.count * static_cast<std::size_t>(batch.scored);
            if (place <= known) next = begins_.size();
        }
        for (std::size_t i = 0; i < next; ++i) progress_.skip(flops_of(batches_[i]));
        // The losses of a batch that was saved in part are computed anew, by whichever rank, and summed over the ranks.
        if (next < begins_.size()) clear_from(nll_, begins_[next]);
        return next;
    }

    static void clear_from(std::vector<double>& nll, std::size_t begin) {
        std::fill(nll.begin() + static_cast<std::ptrdiff_t>(begin), nll.end(), 0.0);
    }

    void run_round(std::size_t next) {
        const auto done = begins_[next];
        share_.progress();
        failpoint("eval.batch");
        save_or_stop(done);
        if (next + rank_ < batches_.size()) run_batch(next + rank_);
        const auto end = next + world_ < batches_.size() ? begins_[next + world_] : nll_.size();
        computed_ += end - done;
        for (auto i = next; i < std::min(next + world_, batches_.size()); ++i) progress_.advance(flops_of(batches_[i]));
        if (options_.label.empty() || rank_ != 0) return;
        progress_.show({{options_.label, /*can_be_cut=*/true},
                        {with_commas(static_cast<std::int64_t>(end)) + "/" + with_commas(total_) + " tokens"},
                        {human_count(meter_.rate(static_cast<double>(computed_))) + " tokens/s"}});
    }

    void run_batch(std::size_t index) {
        auto& attention = model_.attention();
        // The share of visited blocks is measured once
        const bool measured = computed_ == 0 && options_.timing != nullptr;
        if (computed_ == 0) attention.measure_visited(measured && attention.skips());
        score_batch(model_, stream_, windows_, batches_[index], nll_.data() + begins_[index], unscored_);
        if (!measured) return;
        options_.timing->visited_fraction = attention.visited().value_or(1.0);
        options_.timing->rounded_bias = attention.rounded_bias();
        attention.measure_visited(false);
    }

    // Saves the losses of the first `done` tokens if it is time to, and ends the evaluation if a signal asked any rank
    // to stop.
    void save_or_stop(std::size_t done) {
        const auto& partial = options_.partial;
        const bool stop = share_.any(stop_requested());
        if (!partial.empty() &&
            (stop || share_.any(computed_ > 0 && meter_.elapsed() - saved_at_ > kPartialInterval))) {
            auto whole = nll_;
            clear_from(whole, done);
            share_.sum(whole);
            if (rank_ == 0) write_partial(partial, key_, whole, done, dtype_);
            saved_at_ = meter_.elapsed();
        }
        if (!stop) return;
        progress_.finish();
        const std::string signal = stop_signal_name();
        throw InterruptedError(fmt::format("{}: {} after {} of {} tokens{}", options_.label,
                                           signal.empty() ? "another rank was told to stop" : signal,
                                           with_commas(static_cast<std::int64_t>(done)), with_commas(total_),
                                           partial.empty() ? "" : "; run the same command again to continue"));
    }

    void finish() {
        if (options_.whole == nullptr) progress_.finish();
        if (options_.timing != nullptr) {
            options_.timing->seconds = meter_.elapsed();
            options_.timing->tokens = static_cast<std::int64_t>(computed_);
        }
        if (options_.partial.empty() || rank_ != 0) return;
        if (!options_.keep_partial) {
            std::filesystem::remove(options_.partial);
        } else if (computed_ > 0) {
            save_all_losses(options_.partial, key_, nll_, dtype_);
        }
    }

    LanguageModel& model_;
    const TokenStream& stream_;
    const EvalOptions& options_;
    const EvalShare& share_;
    const std::size_t world_, rank_;
    const DType dtype_;
    const std::vector<EvalWindow> windows_;
    const std::int64_t unscored_;
    const std::vector<EvalBatch> batches_;
    const ForwardFlops forward_;
    const std::int64_t total_;         // scored tokens
    std::vector<double> nll_;          // [total_]; 0 where another rank computes, or nothing is computed yet
    std::vector<std::size_t> begins_;  // where each batch's tokens begin in nll_
    std::string key_;
    WorkProgress own_progress_;
    WorkProgress& progress_;
    RateMeter meter_;
    double saved_at_ = 0;
    std::size_t computed_ = 0;  // computed by this call
};

}  // namespace

void check_length(const Config& config, std::int64_t limit, std::int64_t length) {
    if (limit == 0 || length <= limit) return;
    auto message = fmt::format("length {}: position method '{}' of this model ends at {}", length,
                               config.position.method_names(), limit);
    if (ends_at_draw(config.position)) {
        throw UsageError(message +
                         fmt::format(", position.draw_max, of which each token of a window has another position; "
                                     "evaluate at {} or less, or draw from more with position.draw_max={}",
                                     limit, length));
    }
    throw UsageError(message + fmt::format("; evaluate at {} or less", limit));
}

void check_length(LanguageModel& model, std::int64_t length) {
    check_length(model.config(), model.position().max_length(), length);
}

EvalShare evaluation_share(Communicator& ranks) {
    if (ranks.alone()) return {};
    EvalShare share;
    share.rank = ranks.rank();
    share.world = ranks.world();
    share.any = [&ranks](bool value) { return ranks.any(value); };
    share.sum = [&ranks](std::vector<double>& values) { ranks.sum(values); };
    share.from_leader = [&ranks](const std::string& value) { return ranks.from_leader(value); };
    share.progress = [&ranks, batch = std::int64_t{0}]() mutable {
        ranks.stage(fmt::format("evaluation, batch {}", ++batch));
    };
    return share;
}

std::vector<EvalWindow> forward_windows(const LanguageModel& model, const std::vector<EvalWindow>& windows) {
    return model.position().depends_on_length() ? windows : merge_windows(windows);
}

double evaluation_flops(const Config& config, std::int64_t vocab_size, const std::vector<EvalWindow>& windows,
                        bool merged) {
    const ForwardFlops forward(config, vocab_size);
    double flops = 0;
    for (const auto& window : merged ? merge_windows(windows) : windows)
        flops += forward.window(window.end - window.begin, window.end - window.score_begin);
    return flops;
}

std::vector<double> evaluate_tokens(LanguageModel& model, const TokenStream& stream, const EvalPlan& plan,
                                    const EvalOptions& options) {
    check_length(model, plan.request.length);
    const auto dtype = scalar_type(plan.request.dtype);
    const auto weights = model.parameters().front();
    if (dtype == torch::kDouble && weights.scalar_type() != torch::kDouble) {
        throw UsageError("dtype fp64 needs a model with fp64 weights");
    }
    const torch::NoGradGuard no_grad;
    const ModeScope evaluation(model);
    const AutocastScope autocast(weights.device().type(), dtype);
    return Evaluation(model, stream, plan, options).run();
}

}  // namespace longbow
