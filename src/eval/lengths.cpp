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

std::vector<std::pair<std::int64_t, std::int64_t>> planned_stretches(const EvalPlanRequest& request) {
    const auto& protocol = protocol_named(request.protocol);
    const std::int64_t ending = request.ends_with_boundary && !protocol.scores_boundary ? 1 : 0;
    const std::vector<std::int64_t> whole{request.tokens};
    std::vector<std::pair<std::int64_t, std::int64_t>> stretches;
    std::int64_t first = 0;
    for (const auto document_end : request.document_ends.empty() ? whole : request.document_ends) {
        const auto last = std::min(document_end - ending, request.tokens);
        if (last > first && last - first >= request.min_document_tokens) stretches.emplace_back(first, last);
        first = std::min(document_end, request.tokens);
    }
    return stretches;
}

std::int64_t longest_stretch(const EvalPlanRequest& request) {
    std::int64_t longest = 0;
    for (const auto& [first, last] : planned_stretches(request)) longest = std::max(longest, last - first);
    // A BOS is one token more.
    const auto bos = request.bos ? request.bos : default_bos(request.protocol);
    return longest + (bos.value_or(Bos::never) == Bos::never ? 0 : 1);
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
