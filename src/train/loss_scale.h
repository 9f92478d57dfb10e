// Implements the dynamic loss scale of fp16: it is halved after an update whose gradients overflowed, and doubled after
// `window` good updates in a row. This is fairseq's rule except for the bounds: fairseq has no upper bound, and it
// gives up at 1e-4, where here train.max_bad_updates ends the run.
#pragma once

#include <algorithm>
#include <cstdint>

namespace longbow {

struct LossScale {
    double scale;
    std::int64_t good_updates;
};

inline LossScale next_loss_scale(LossScale now, bool overflowed, std::int64_t window) {
    constexpr double kLeast = 1.0 / 16384;
    constexpr double kMost = 16777216;
    if (overflowed) return {std::max(now.scale / 2, kLeast), 0};
    if (now.good_updates + 1 < window) return {now.scale, now.good_updates + 1};
    return {std::min(now.scale * 2, kMost), 0};
}

}  // namespace longbow
