// Implements protocol paper: the ALiBi paper's recipe, which is fairseq's context window.
#include <algorithm>

#include "longbow/eval/protocol.h"

namespace longbow {

namespace {

// Plans blocks of `stride` targets, each with up to length - stride tokens of context before it. The short last block
// is scored like the others.
void plan_paper(const EvalStretch& text, std::vector<EvalWindow>& windows) {
    for (std::int64_t b = text.first; b < text.last; b += text.stride)
        windows.push_back(
            {std::max(text.first, b - (text.length - text.stride)), std::min(b + text.stride, text.last), b});
}

LONGBOW_REGISTER_PROTOCOL({
    .name = "paper",
    .help = "blocks of `stride` targets with the context before them (the ALiBi paper's fairseq code)",
    .default_stride_title = "non-overlapping",
    .plan = plan_paper,
});

}  // namespace

}  // namespace longbow
