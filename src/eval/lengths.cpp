// Checks a list of evaluation lengths for repeated ones and for ones that no window of the text reaches.
#include <fmt/core.h>

#include <algorithm>

#include "longbow/core/strings.h"
#include "longbow/eval/eval_plan.h"
#include "longbow/telemetry/log.h"

namespace longbow {

std::vector<std::int64_t> distinct_lengths(const std::vector<std::int64_t>& lengths) {
    std::vector<std::int64_t> distinct, repeated;
    const auto holds = [](const auto& list, std::int64_t value) {
        return std::find(list.begin(), list.end(), value) != list.end();
    };
    for (const auto length : lengths) {
        if (!holds(distinct, length)) {
            distinct.push_back(length);
        } else if (!holds(repeated, length)) {
            repeated.push_back(length);
            log::info(fmt::format("length {} is named twice and used once", length));
        }
    }
    return distinct;
}

std::int64_t longest_stretch(const EvalPlanRequest& request) {
    if (request.document_ends.empty()) return request.tokens;
    std::int64_t longest = 0, begin = 0;
    for (const auto document_end : request.document_ends) {
        const auto end = std::min(document_end, request.tokens);
        longest = std::max(longest, end - begin);
        begin = end;
    }
    return longest;
}

bool warn_if_unreached(const EvalPlanRequest& request) {
    const auto longest = longest_stretch(request);
    if (longest >= request.length) return false;
    log::warn(fmt::format(
        "no window has length {}, because the {} has only {} tokens: the result is not a measurement at that length",
        request.length, request.document_ends.empty() ? "stream" : "longest document", with_commas(longest)));
    return true;
}

}  // namespace longbow
