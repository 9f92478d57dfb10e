// Implements protocol lm-eval: the rolling windows of lm-evaluation-harness (loglikelihood_rolling).
#include <algorithm>

#include "longbow/eval/protocol.h"

namespace longbow {

namespace {

// Plans disjoint blocks of `length` targets, of which the first follows the boundary. If the last one is short, its
// window begins earlier so that its input is full.
void plan_lm_eval(const EvalStretch& text, std::vector<EvalWindow>& windows) {
    for (std::int64_t b = text.first; b < text.last; b += text.length) {
        const auto end = std::min(b + text.length, text.last);
        windows.push_back({std::max(text.first, end - text.length), end, b});
    }
}

LONGBOW_REGISTER_PROTOCOL({
    .name = "lm-eval",
    .help = "disjoint windows, the last one moved back to be full (lm-evaluation-harness)",
    .strided = false,
    .plan = plan_lm_eval,
});

}  // namespace

}  // namespace longbow
