#include "sliding_windows.h"

#include <algorithm>

namespace longbow {

void plan_sliding_windows(const EvalStretch& text, std::vector<EvalWindow>& windows) {
    const bool before_all = text.bos == Bos::first;
    const bool before_each = text.bos == Bos::each_window;
    const auto tokens = text.last - text.first + (before_all ? 1 : 0);  // that windows are cut from
    const auto room = text.length - (before_each ? 1 : 0);              // for them in a window
    auto scored = text.first;                                           // the first target that no window has scored
    for (std::int64_t begin = 0; begin < tokens; begin += text.stride) {
        const auto end = std::min(begin + room, tokens);
        // In the shifted stream, token t of the text is the input t + 1 and the target t. A BOS replaces the input
        // before the first token, so that a window that begins with one has its inputs and targets at the same places.
        EvalWindow window;
        window.begin = text.first + begin + (before_all || before_each ? 0 : 1);
        window.end = text.first + end - (before_all ? 1 : 0);
        window.score_begin = std::max(scored, window.begin);
        window.boundary_first = before_each || (before_all && begin == 0);
        if (window.score_begin < window.end) windows.push_back(window);
        scored = window.end;
        if (end == tokens || text.truncate) break;
    }
}

}  // namespace longbow
