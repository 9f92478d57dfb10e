// Implements protocol yarn: the windows of YaRN's eval/perplexity.py (jquesnelle/yarn, commit 995db5b).
#include <algorithm>
#include <cmath>

#include "longbow/eval/protocol.h"
#include "sliding_windows.h"

namespace longbow {

namespace {

constexpr std::int64_t kStride = 256;

// Returns the perplexity as the script prints it: every window counts alike, however many tokens it scores.
double script_ppl(const std::vector<double>& nll, const std::vector<EvalWindow>& windows) {
    double sum = 0;
    std::size_t next = 0;
    for (const auto& window : windows) {
        double window_sum = 0;
        const auto scored = window.end - window.score_begin;
        for (std::int64_t i = 0; i < scored; ++i) window_sum += nll[next++];
        sum += window_sum / static_cast<double>(scored);
    }
    return std::exp(sum / static_cast<double>(windows.size()));
}

LONGBOW_REGISTER_PROTOCOL({
    .name = "yarn",
    .help = "sliding windows of each document behind a BOS (YaRN's eval/perplexity.py)",
    .shortest_length = 2,
    .documents_apart = true,
    .scores_boundary = false,
    .document_rules = true,
    .takes_bos = true,
    .default_bos = Bos::each_window,
    .passes_last_token = true,
    .scores_all = false,
    .default_stride = [](std::int64_t length) { return std::min(length, kStride); },
    .default_stride_title = "stride 256 at most",
    .plan = plan_sliding_windows,
    .tool_ppl = script_ppl,
});

}  // namespace

}  // namespace longbow
