// Checks a request and lets its protocol plan windows for the stream, or for its documents one after the other.
#include "longbow/eval/eval_plan.h"

#include <fmt/core.h>

#include <algorithm>

#include "longbow/core/error.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

// Returns "hf or yarn": the protocols of which `property` is true.
std::string protocols_with(bool EvalProtocol::*property) {
    std::vector<std::string> names;
    for (const auto& protocol : eval_protocols()) {
        if (protocol.*property) names.push_back(protocol.name);
    }
    return join(names, " or ");
}

std::int64_t stride_of(const EvalPlanRequest& request) {
    if (request.stride != 0) return request.stride;
    return request.truncate ? request.length : default_stride(request.protocol, request.length);
}

void check_rules(const EvalProtocol& protocol, const EvalPlanRequest& request) {
    if (!protocol.takes_bos && request.bos) {
        throw UsageError("protocol " + protocol.name +
                         " keeps its own rule for the boundary: omit --bos, or use protocol " +
                         protocols_with(&EvalProtocol::takes_bos));
    }
    if (!protocol.document_rules && (request.truncate || request.min_document_tokens != 0)) {
        throw UsageError("protocol " + protocol.name + " takes all of the text: omit --truncate and " +
                         "--min-document-tokens, or use protocol " + protocols_with(&EvalProtocol::document_rules));
    }
    if (request.truncate && request.stride != 0)
        throw UsageError("--truncate leaves each document one window, which has no stride: omit --stride");
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
    check_rules(protocol, request);
    const auto stride = stride_of(request);
    if (!protocol.strided && stride != protocol.stride_at(length)) {
        throw UsageError("protocol " + protocol.name + " has no stride: omit --stride, or use protocol " +
                         protocols_with(&EvalProtocol::strided));
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
    EvalStretch stretch{0, 0, request.length, stride_of(request)};
    stretch.bos = request.bos.value_or(default_bos(request.protocol).value_or(Bos::never));
    stretch.truncate = request.truncate;
    std::vector<EvalWindow> windows;
    for (const auto& [first, last] : planned_stretches(request)) {
        stretch.first = first;
        stretch.last = last;
        protocol.plan(stretch, windows);
    }
    if (windows.empty()) {
        const auto documents = request.min_document_tokens > 0
                                   ? fmt::format(", whose documents have fewer than {} tokens (--min-document-tokens)",
                                                 with_commas(request.min_document_tokens))
                                   : "";
        throw UsageError(
            fmt::format("protocol {} scores no token of a stream of {}{}", protocol.name, request.tokens, documents));
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
