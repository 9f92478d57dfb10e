// Runs a plan's windows through a model: windows of equal shape in batches, only the scored suffix through the output head.
#include "longbow/eval/evaluator.h"

#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>

#include "longbow/core/error.h"
#include "longbow/core/hash.h"
#include "longbow/core/signals.h"
#include "longbow/core/strings.h"
#include "longbow/model/autocast.h"
#include "longbow/model/linear.h"
#include "longbow/model/output_head.h"
#include "longbow/position/position_method.h"
#include "longbow/telemetry/log.h"
#include "longbow/telemetry/progress.h"
#include "partial.h"

namespace longbow {

namespace {

constexpr double kPartialInterval = 60;  // seconds between saves of what is done, so that a kill costs little

struct Batch {
    std::size_t first, count;     // windows
    std::int64_t inputs, scored;  // of each window
};

// Neighbouring windows of equal shape, as many as fit into max_tokens inputs (at least one).
std::vector<Batch> make_batches(const std::vector<EvalWindow>& windows, std::int64_t max_tokens) {
    std::vector<Batch> batches;
    for (std::size_t i = 0; i < windows.size(); ++i) {
        const auto inputs = windows[i].end - windows[i].begin;
        const auto scored = windows[i].end - windows[i].score_begin;
        if (!batches.empty()) {
            auto& last = batches.back();
            const auto grown = static_cast<std::int64_t>(last.count + 1) * inputs;
            if (last.inputs == inputs && last.scored == scored && grown <= max_tokens) {
                ++last.count;
                continue;
            }
        }
        batches.push_back({i, 1, inputs, scored});
    }
    return batches;
}

class ModeScope {
public:
    explicit ModeScope(torch::nn::Module& module) : module_(module), training_(module.is_training()) { module_.eval(); }
    ~ModeScope() { module_.train(training_); }
    ModeScope(const ModeScope&) = delete;
    ModeScope& operator=(const ModeScope&) = delete;

private:
    torch::nn::Module& module_;
    bool training_;
};

// Everything that the losses' bits depend on.
std::string partial_key(LanguageModel& model, const TokenStream& stream, const EvalRequest& request, const std::string& device) {
    Hasher hasher;
    for (const auto& stored : model.stored_tensors()) {
        const auto value = stored.value.detach().to(torch::kCPU).contiguous();
        hasher.update(stored.name);
        hasher.update(value.data_ptr(), value.nbytes());
    }
    hasher.update(strprintf("|%s|%s|%lld|%lld|%d|%lld|%lld|%s|%s|%s|%s|%a|%s", stream.fingerprint().c_str(), request.protocol.c_str(),
                            static_cast<long long>(request.length), static_cast<long long>(request.stride),
                            request.within_documents ? 1 : 0, static_cast<long long>(request.max_batch_tokens),
                            static_cast<long long>(request.max_stream_tokens), request.dtype.c_str(), device.c_str(),
                            model.config().position.method.c_str(), model.attention().name().c_str(),
                            model.config().attention.skip_threshold, to_string(gemm_library()).c_str()));
    return hasher.digest();
}

// Fills one batch's losses into `out` (count * scored values).
void score_batch(LanguageModel& model, const TokenStream& stream, const std::vector<EvalWindow>& windows, const Batch& batch,
                 at::Device device, float* out) {
    const auto count = static_cast<std::int64_t>(batch.count);
    auto inputs = torch::empty({count, batch.inputs}, torch::kInt64);
    auto targets = torch::empty({count, batch.scored}, torch::kInt64);
    for (std::int64_t row = 0; row < count; ++row) {
        const auto& window = windows[batch.first + static_cast<std::size_t>(row)];
        auto* in = inputs.data_ptr<std::int64_t>() + row * batch.inputs;
        read_inputs(stream, window.begin, batch.inputs, in);
        if (window.boundary_first) in[0] = stream.boundary();
        stream.read(window.score_begin, batch.scored, targets.data_ptr<std::int64_t>() + row * batch.scored);
    }
    auto hidden = model.hidden(inputs.to(device));                                        // [count, inputs, dim]
    hidden = hidden.slice(1, batch.inputs - batch.scored).reshape({-1, hidden.size(2)});  // [count * scored, dim]
    const auto nll = model.head().nll(hidden, targets.to(device).reshape({-1})).to(torch::kCPU, torch::kFloat32).contiguous();
    std::copy_n(nll.data_ptr<float>(), nll.numel(), out);
}

}  // namespace

void check_length(LanguageModel& model, std::int64_t length) {
    const auto limit = model.position().max_length();
    if (limit > 0 && length > limit) {
        throw UsageError(strprintf("length %lld: position method '%s' of this model ends at %lld; evaluate at %lld or less",
                                   static_cast<long long>(length), model.config().position.method.c_str(), static_cast<long long>(limit),
                                   static_cast<long long>(limit)));
    }
}

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

std::vector<float> evaluate_tokens(LanguageModel& model, const TokenStream& stream, const EvalRequest& request, const std::string& label,
                                   const std::filesystem::path& partial, EvalTiming* timing, const EvalShare& share) {
    check_length(model, request.length);
    const auto dtype = dtype_from(request.dtype);
    const auto weights = model.parameters().front();
    if (dtype == torch::kDouble && weights.scalar_type() != torch::kDouble) {
        throw UsageError("dtype fp64 needs a model with fp64 weights");
    }
    const auto windows = merge_windows(plan_windows(plan_request(stream, request)));
    const auto batches = make_batches(windows, request.max_batch_tokens);
    std::int64_t total = 0;
    for (const auto& window : windows) total += window.end - window.score_begin;

    const torch::NoGradGuard no_grad;
    const ModeScope evaluation(model);
    const AutocastScope autocast(weights.device().type(), dtype);

    std::vector<float> nll(static_cast<std::size_t>(total));
    const auto key = partial.empty() ? std::string() : partial_key(model, stream, request, weights.device().str());
    const auto kept = share.rank == 0 ? read_partial(partial, key) : std::vector<float>();
    std::copy_n(kept.begin(), std::min(kept.size(), nll.size()), nll.begin());
    if (!kept.empty())
        log::info(strprintf("%s: going on after %s of %s tokens", label.c_str(),
                            with_commas(static_cast<std::int64_t>(kept.size())).c_str(), with_commas(total).c_str()));

    // Batches come in rounds of one a rank; what is done after a round is a beginning of the stream.
    std::vector<std::size_t> begins;  // of each batch's tokens
    std::size_t place = 0, next = 0;
    const auto known = std::stoull(share.from_leader(std::to_string(kept.size())));
    for (const auto& batch : batches) {
        begins.push_back(place);
        place += batch.count * static_cast<std::size_t>(batch.scored);
        if (place <= known) next = begins.size();
    }
    const auto world = static_cast<std::size_t>(share.world), rank = static_cast<std::size_t>(share.rank);
    if (next < begins.size())
        std::fill(nll.begin() + static_cast<std::ptrdiff_t>(begins[next]), nll.end(), 0.0F);  // computed anew, by whichever rank
    const auto together = [&](std::size_t done) {
        auto whole = nll;
        std::fill(whole.begin() + static_cast<std::ptrdiff_t>(done), whole.end(), 0.0F);
        share.sum(whole);
        return whole;
    };

    ProgressLine progress;
    const RateMeter meter;
    double saved_at = 0;
    std::size_t computed = 0;
    auto& attention = model.attention();
    for (; next < batches.size(); next += world) {
        const auto done = begins[next];
        share.progress();
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
        if (!label.empty() && rank == 0) {
            const auto rate = meter.rate(static_cast<double>(computed));
            const auto eta = rate > 0 ? static_cast<double>(nll.size() - end) / rate : -1;
            progress.show(strprintf("%s: %s/%s tokens, %s tokens/s, ETA %s", label.c_str(),
                                    with_commas(static_cast<std::int64_t>(end)).c_str(), with_commas(total).c_str(),
                                    human_count(rate).c_str(), human_seconds(eta).c_str()));
        }
    }
    share.sum(nll);
    progress.finish();
    if (timing != nullptr) {
        timing->seconds = meter.elapsed();
        timing->tokens = static_cast<std::int64_t>(computed);
    }
    if (!partial.empty() && rank == 0) std::filesystem::remove(partial);
    return nll;
}

}  // namespace longbow
