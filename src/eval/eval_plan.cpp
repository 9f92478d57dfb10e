// Checks a request and lets its protocol plan windows for the stream, or for its documents one after the other.
#include "longbow/eval/eval_plan.h"

#include <fmt/core.h>

#include <algorithm>

#include "longbow/core/error.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

std::vector<std::string> strided_protocols() {
    std::vector<std::string> names;
    for (const auto& protocol : eval_protocols()) {
        if (protocol.strided) names.push_back(protocol.name);
    }
    return names;
}

}  // namespace

std::int64_t default_stride(const std::string& protocol, std::int64_t length) {
    return protocol_named(protocol).stride_at(length);
}

void check_plan(const EvalPlanRequest& request) {
    const auto& protocol = protocol_named(request.protocol);
    const auto length = request.length;
    if (length < protocol.shortest_length) {
        throw UsageError(fmt::format("evaluation length {} is too short: protocol {} needs at least {}", length,
                                     protocol.name, protocol.shortest_length));
    }
    const auto stride = request.stride == 0 ? protocol.stride_at(length) : request.stride;
    if (!protocol.strided && stride != protocol.stride_at(length)) {
        throw UsageError("protocol " + protocol.name + " has no stride: omit --stride, or use protocol " +
                         join(strided_protocols(), " or "));
    }
    if (stride < 1 || stride > length) {
        throw UsageError(fmt::format("stride {} is out of range: at length {} it is 1 to {}", stride, length, length));
    }
    if (!protocol.within_documents && !request.document_ends.empty()) {
        throw UsageError("protocol " + protocol.name + " takes the stream as one text: omit --within-documents");
    }
}

std::vector<EvalWindow> plan_windows(const EvalPlanRequest& request) {
    check_plan(request);
    const auto& protocol = protocol_named(request.protocol);
    EvalStretch stretch{0, 0, request.length,
                        request.stride == 0 ? protocol.stride_at(request.length) : request.stride};
    std::vector<EvalWindow> windows;
    const std::vector<std::int64_t> whole{request.tokens};
    for (const auto document_end : request.document_ends.empty() ? whole : request.document_ends) {
        stretch.last = std::min(document_end, request.tokens);
        protocol.plan(stretch, windows);
        stretch.first = stretch.last;
    }
    if (windows.empty()) {
        throw UsageError(fmt::format("protocol {} scores no token of a stream of {}", protocol.name, request.tokens));
    }
    return windows;
}

std::vector<EvalWindow> merge_windows(const std::vector<EvalWindow>& windows) {
    std::vector<EvalWindow> merged;
    for (const auto& window : windows) {
        auto* last = merged.empty() ? nullptr : &merged.back();
        if (last != nullptr && last->begin == window.begin && last->end == window.score_begin &&
            last->boundary_first == window.boundary_first) {
            last->end = window.end;
        } else {
            merged.push_back(window);
        }
    }
    return merged;
}

}  // namespace longbow
