#include "longbow/eval/estimate.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <numeric>

#include "longbow/model/autocast.h"
#include "longbow/model/device_memory.h"
#include "longbow/model/flops.h"
#include "longbow/telemetry/progress.h"
#include "score.h"

namespace longbow {

namespace {

constexpr std::int64_t kPilotLength = 64;  // tokens of the pilot, a first look at the speed

class Stopwatch {
public:
    Stopwatch(LanguageModel& model, const TokenStream& stream, DType dtype)
        : model_(model),
          stream_(stream),
          autocast_(model.parameters().front().device().type(), scalar_type(dtype)),
          forward_(model) {}

    [[nodiscard]] double flops(const EvalBatch& batch) const {
        return static_cast<double>(batch.count) * forward_.window(batch.inputs, batch.scored);
    }

    // Returns the seconds of the batch. Its losses are copied to the host, so that a GPU has finished too.
    double pass(const std::vector<EvalWindow>& windows, const EvalBatch& batch) {
        losses_.resize(batch.count * static_cast<std::size_t>(batch.scored));
        const RateMeter meter;
        score_batch(model_, stream_, windows, batch, losses_.data());
        return meter.elapsed();
    }

private:
    LanguageModel& model_;
    const TokenStream& stream_;
    AutocastScope autocast_;
    ForwardFlops forward_;
    std::vector<double> losses_;
};

// Returns the speed of a short window on its second pass; the first pass includes one-time set-up.
double pilot(Stopwatch& watch, std::int64_t most) {
    const std::vector<EvalWindow> windows{{0, std::min(kPilotLength, most), 0}};
    const EvalBatch batch{0, 1, windows[0].end, windows[0].end};
    watch.pass(windows, batch);
    return watch.pass(windows, batch) / watch.flops(batch);
}

// Returns the seconds of the quickest of as many passes as fit into `slice` seconds: other work on the machine only
// makes passes slower. The first pass of a shape, which allocates memory, is not counted.
double timed(Stopwatch& watch, const std::vector<EvalWindow>& windows, const EvalBatch& batch, double slice) {
    const RateMeter spent;
    watch.pass(windows, batch);
    double quickest = watch.pass(windows, batch);
    while (spent.elapsed() + quickest < slice) quickest = std::min(quickest, watch.pass(windows, batch));
    return quickest;
}

}  // namespace

std::vector<double> seconds_per_flop(LanguageModel& model, const TokenStream& stream,
                                     const std::vector<const EvalPlan*>& plans, double budget) {
    const torch::NoGradGuard no_grad;
    const ModeScope evaluation(model);
    Stopwatch watch(model, stream, plans.front()->request.dtype);
    std::vector<std::size_t> order(plans.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return plans[a]->request.length < plans[b]->request.length; });

    const RateMeter meter;
    double speed = pilot(watch, std::min(plans[order.front()]->request.length, stream.size()));
    std::vector<double> speeds(plans.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
        const auto& plan = *plans[order[i]];
        const double slice = std::max(0.0, budget - meter.elapsed()) / static_cast<double>(order.size() - i);
        const auto windows = forward_windows(model, plan.windows);
        const auto batches = make_batches(windows, plan.request.max_batch_tokens);
        if (!batches.empty()) {
            // A batch in the middle is typical; those at the ends may be short or merged.
            auto batch = batches[batches.size() / 2];
            const double window = watch.flops({batch.first, 1, batch.inputs, batch.scored}) * speed;
            batch.count = std::clamp<std::size_t>(static_cast<std::size_t>(slice / 3 / window), 1, batch.count);
            if (2 * window <= slice || (i == 0 && window <= budget))
                speed = timed(watch, windows, batch, slice) / watch.flops(batch);
        }
        speeds[order[i]] = speed;
    }
    return speeds;
}

}  // namespace longbow
