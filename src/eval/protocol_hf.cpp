// Implements protocol hf: the windows of Transformers' guide "Perplexity of fixed-length models".
#include <algorithm>
#include <cmath>
#include <limits>

#include "longbow/eval/protocol.h"

namespace longbow {

namespace {

// Windows of `length` tokens begin every `stride` tokens, without a boundary in front: a window's first token is only
// context, and each window scores the targets that no window before it scored. In the shifted stream the token at place
// t is the input at t + 1.
void plan_hf(const EvalStretch& text, std::vector<EvalWindow>& windows) {
    std::int64_t scored = text.first;
    for (std::int64_t begin = text.first; begin < text.last; begin += text.stride) {
        const auto end = std::min(begin + text.length, text.last);
        const auto score_begin = std::max(scored, begin + 1);
        if (score_begin < end) windows.push_back({begin + 1, end, score_begin});
        scored = end;
        if (end == text.last) break;
    }
}

// Returns the perplexity as the guide computes it. It weighs a window's mean loss by the number of its new tokens minus
// one, even if all of them are scored.
double guide_ppl(const std::vector<float>& nll, const std::vector<EvalWindow>& windows) {
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
        const bool all_scored = previous != nullptr && previous->end == window.score_begin;
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
    .scores_all = false,
    .default_stride = [](std::int64_t length) { return std::max<std::int64_t>(1, length / 2); },
    .default_stride_title = "stride of half the length",
    .plan = plan_hf,
    .tool_ppl = guide_ppl,
});

}  // namespace

}  // namespace longbow
