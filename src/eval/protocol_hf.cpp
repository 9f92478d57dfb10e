// Implements protocol hf: the windows of Transformers' guide "Perplexity of fixed-length models".
#include <algorithm>
#include <cmath>
#include <limits>

#include "longbow/eval/protocol.h"
#include "sliding_windows.h"

namespace longbow {

namespace {

// Returns the perplexity as the guide computes it. It weighs a window's mean loss by the number of its new tokens minus
// one, even if all of them are scored. The guide's text may begin with a BOS, which counts as a new token of the first
// window. It puts none before later windows: if each has one, the result is the plain perplexity.
double guide_ppl(const std::vector<double>& nll, const std::vector<EvalWindow>& windows) {
    double sum = 0;
    double weight = 0;
    std::size_t next = 0;
    const EvalWindow* previous = nullptr;
    for (const auto& window : windows) {
        const auto scored = window.end - window.score_begin;
        double window_sum = 0;
        for (std::int64_t i = 0; i < scored; ++i) window_sum += nll[next++];
        // A window that begins scoring where the last one ended scores all of its new tokens; any other does not score
        // its first one.
        const bool all_scored = previous != nullptr && previous->end == window.score_begin && !window.boundary_first;
        const auto counted = static_cast<double>(all_scored ? scored - 1 : scored);
        sum += window_sum / static_cast<double>(scored) * counted;
        weight += counted;
        previous = &window;
    }
    return weight > 0 ? std::exp(sum / weight) : std::numeric_limits<double>::quiet_NaN();
}

LONGBOW_REGISTER_PROTOCOL({
    .name = "hf",
    .help = "sliding windows whose first token is only context (Transformers' guide on perplexity)",
    .shortest_length = 2,
    .takes_bos = true,
    .passes_last_token = true,
    .scores_all = false,
    .default_stride = [](std::int64_t length) { return std::max<std::int64_t>(1, length / 2); },
    .default_stride_title = "stride of half the length",
    .plan = plan_sliding_windows,
    .tool_ppl = guide_ppl,
});

}  // namespace

}  // namespace longbow
