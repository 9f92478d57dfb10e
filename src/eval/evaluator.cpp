// Runs a plan's windows through a model. Windows of equal shape form batches, and only their scored suffix goes through
// the output head.
#include "longbow/eval/evaluator.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>

#include "longbow/core/error.h"
#include "longbow/core/failpoint.h"
#include "longbow/core/hash.h"
#include "longbow/core/signals.h"
#include "longbow/core/strings.h"
#include "longbow/model/autocast.h"
#include "longbow/model/flops.h"
#include "longbow/model/linear.h"
#include "longbow/position/position_method.h"
#include "longbow/telemetry/log.h"
#include "partial.h"
#include "score.h"

namespace longbow {

namespace {

constexpr double kPartialInterval = 60;  // seconds between saves of partial results, so that a kill costs little

// Returns a hash of everything that the bits of the losses depend on.
std::string partial_key(LanguageModel& model, const TokenStream& stream, const EvalRequest& request, const std::string& device) {
    Hasher hasher;
    for (const auto& stored : model.stored_tensors()) {
        const auto value = stored.tensor.detach().to(torch::kCPU).contiguous();
        hasher.update(stored.name);
        hasher.update(value.data_ptr(), value.nbytes());
    }
    hasher.update(strprintf("|%s|%s|%lld|%lld|%d|%lld|%lld|%s|%s|%s|%s|%a|%s", stream.fingerprint().c_str(), request.protocol.c_str(),
                            static_cast<long long>(request.length), static_cast<long long>(request.stride),
                            request.within_documents ? 1 : 0, static_cast<long long>(request.max_batch_tokens),
                            static_cast<long long>(request.max_stream_tokens), std::string(name_of(request.dtype)).c_str(), device.c_str(),
                            model.config().position.method.c_str(), model.attention().name().c_str(),
                            model.config().attention.skip_threshold, to_string(gemm_library()).c_str()));
    return hasher.digest();
}

// Saves the finished losses. The caller has them in memory, so a file that cannot be written is only a warning.
void keep_whole(const std::filesystem::path& partial, const std::string& key, const std::vector<float>& nll) {
    try {
        write_partial(partial, key, nll, nll.size());
    } catch (const Error& error) {
        log::warn(std::string(error.what()) + "; what is measured is not kept for another call");
    }
}

}  // namespace

void check_length(const Config& config, std::int64_t limit, std::int64_t length) {
    if (limit > 0 && length > limit) {
        throw UsageError(strprintf("length %lld: position method '%s' of this model ends at %lld; evaluate at %lld or less",
                                   static_cast<long long>(length), config.position.method.c_str(), static_cast<long long>(limit),
                                   static_cast<long long>(limit)));
    }
}

void check_length(LanguageModel& model, std::int64_t length) { check_length(model.config(), model.position().max_length(), length); }

EvalShare evaluation_share(Communicator& ranks) {
    if (ranks.alone()) return {};
    EvalShare share;
    share.rank = ranks.rank();
    share.world = ranks.world();
    share.any = [&ranks](bool mine) { return ranks.any(mine); };
    share.sum = [&ranks](std::vector<float>& values) { ranks.sum(values); };
    share.from_leader = [&ranks](const std::string& mine) { return ranks.from_leader(mine); };
    share.progress = [&ranks, batch = std::int64_t{0}]() mutable {
        ranks.stage(strprintf("evaluation, batch %lld", static_cast<long long>(++batch)));
    };
    return share;
}

double evaluation_flops(const Config& config, std::int64_t vocab_size, const std::vector<EvalWindow>& windows) {
    const ForwardFlops forward(config, vocab_size);
    double flops = 0;
    for (const auto& window : merge_windows(windows)) flops += forward.window(window.end - window.begin, window.end - window.score_begin);
    return flops;
}

std::vector<float> evaluate_tokens(LanguageModel& model, const TokenStream& stream, const EvalPlan& plan, const EvalOptions& options) {
    const auto& request = plan.request;
    const auto& label = options.label;
    const auto& partial = options.partial;
    const auto& share = options.share;
    auto* timing = options.timing;
    check_length(model, request.length);
    const auto dtype = scalar_type(request.dtype);
    const auto weights = model.parameters().front();
    if (dtype == torch::kDouble && weights.scalar_type() != torch::kDouble) {
        throw UsageError("dtype fp64 needs a model with fp64 weights");
    }
    const auto windows = merge_windows(plan.windows);
    const auto batches = make_batches(windows, request.max_batch_tokens);
    const ForwardFlops forward(model);
    const auto flops_of = [&](const EvalBatch& batch) {
        return static_cast<double>(batch.count) * forward.window(batch.inputs, batch.scored);
    };
    const auto total = plan.scored();
    double total_flops = 0;
    for (const auto& batch : batches) total_flops += flops_of(batch);

    const torch::NoGradGuard no_grad;
    const ModeScope evaluation(model);
    const AutocastScope autocast(weights.device().type(), dtype);

    std::vector<float> nll(static_cast<std::size_t>(total));
    const auto key = partial.empty() ? std::string() : partial_key(model, stream, request, weights.device().str());
    const auto kept = share.rank == 0 ? read_partial(partial, key) : std::vector<float>();
    std::copy_n(kept.begin(), std::min(kept.size(), nll.size()), nll.begin());
    if (!kept.empty() && !label.empty())
        log::info(strprintf("%s: going on after %s of %s tokens", label.c_str(),
                            with_commas(static_cast<std::int64_t>(kept.size())).c_str(), with_commas(total).c_str()));

    // Batches come in rounds with one for each rank, so that after a round all targets up to some place are scored.
    std::vector<std::size_t> begins;  // index of each batch's first token
    std::size_t place = 0, next = 0;
    const auto known = std::stoull(share.from_leader(std::to_string(kept.size())));
    for (const auto& batch : batches) {
        begins.push_back(place);
        place += batch.count * static_cast<std::size_t>(batch.scored);
        if (place <= known) next = begins.size();
    }
    WorkProgress own(total_flops);
    WorkProgress& progress = options.whole != nullptr ? *options.whole : own;
    for (std::size_t i = 0; i < next; ++i) progress.skip(flops_of(batches[i]));
    const auto world = static_cast<std::size_t>(share.world), rank = static_cast<std::size_t>(share.rank);
    if (next < begins.size())
        // These are computed anew, by whichever rank.
        std::fill(nll.begin() + static_cast<std::ptrdiff_t>(begins[next]), nll.end(), 0.0F);
    const auto together = [&](std::size_t done) {
        auto whole = nll;
        std::fill(whole.begin() + static_cast<std::ptrdiff_t>(done), whole.end(), 0.0F);
        share.sum(whole);
        return whole;
    };

    const RateMeter meter;
    double saved_at = 0;
    std::size_t computed = 0;
    auto& attention = model.attention();
    for (; next < batches.size(); next += world) {
        const auto done = begins[next];
        share.progress();
        failpoint("eval.batch");
        const bool stop = share.any(stop_requested());
        if (!partial.empty() && (stop || share.any(computed > 0 && meter.elapsed() - saved_at > kPartialInterval))) {
            const auto whole = together(done);
            if (rank == 0) write_partial(partial, key, whole, done);
            saved_at = meter.elapsed();
        }
        if (stop) {
            progress.finish();
            const std::string signal = stop_signal_name();
            throw InterruptedError(strprintf("%s: %s after %s of %s tokens%s", label.c_str(),
                                             signal.empty() ? "another rank was told to stop" : signal.c_str(),
                                             with_commas(static_cast<std::int64_t>(done)).c_str(), with_commas(total).c_str(),
                                             partial.empty() ? "" : "; run the same command again to go on"));
        }
        if (next + rank < batches.size()) {
            if (computed == 0) attention.measure_visited(timing != nullptr && attention.skips());
            score_batch(model, stream, windows, batches[next + rank], weights.device(), nll.data() + begins[next + rank]);
            if (computed == 0 && timing != nullptr) {
                timing->visited_fraction = attention.visited().value_or(1.0);
                attention.measure_visited(false);
            }
        }
        const auto end = next + world < batches.size() ? begins[next + world] : nll.size();
        computed += end - done;
        for (auto i = next; i < std::min(next + world, batches.size()); ++i) progress.advance(flops_of(batches[i]));
        if (label.empty() || rank != 0) continue;
        progress.show({{label, /*cut=*/true},
                       {with_commas(static_cast<std::int64_t>(end)) + "/" + with_commas(total) + " tokens"},
                       {human_count(meter.rate(static_cast<double>(computed))) + " tokens/s"}});
    }
    share.sum(nll);
    if (options.whole == nullptr) progress.finish();
    if (timing != nullptr) {
        timing->seconds = meter.elapsed();
        timing->tokens = static_cast<std::int64_t>(computed);
    }
    if (!partial.empty() && rank == 0) {
        if (!options.keep_partial) {
            std::filesystem::remove(partial);
        } else if (computed > 0) {
            keep_whole(partial, key, nll);
        }
    }
    return nll;
}

}  // namespace longbow
