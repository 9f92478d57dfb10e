// The window rules of the four protocols. Each works on one sequence of tokens, the stream or a document of it; docs/evaluation.md says
// which tool and version each follows.
#include "longbow/eval/eval_plan.h"

#include <algorithm>

#include "longbow/core/error.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

using Windows = std::vector<EvalWindow>;

// Blocks of `stride` targets, each with up to length - stride tokens of context before it (recipe of the ALiBi paper: fairseq's
// context window). The short last block is scored like the others.
void plan_paper(std::int64_t first, std::int64_t last, std::int64_t length, std::int64_t stride, Windows& windows) {
    for (std::int64_t b = first; b < last; b += stride) {
        windows.push_back({std::max(first, b - (length - stride)), std::min(b + stride, last), b});
    }
}

// Windows of `length` tokens every `stride`, without a boundary in front: a window's first token is context alone, and each window scores
// what none before it did. In the shifted stream the token at place t is the input at t + 1.
void plan_hf(std::int64_t first, std::int64_t last, std::int64_t length, std::int64_t stride, Windows& windows) {
    std::int64_t scored = first;
    for (std::int64_t begin = first; begin < last; begin += stride) {
        const auto end = std::min(begin + length, last);
        const auto score_begin = std::max(scored, begin + 1);
        if (score_begin < end) windows.push_back({begin + 1, end, score_begin});
        scored = end;
        if (end == last) break;
    }
}

// Disjoint blocks of `length` targets, the first one behind the boundary; the last, if short, is moved back so that its input is full.
void plan_lm_eval(std::int64_t first, std::int64_t last, std::int64_t length, Windows& windows) {
    for (std::int64_t b = first; b < last; b += length) {
        const auto end = std::min(b + length, last);
        windows.push_back({std::max(first, end - length), end, b});
    }
}

// Whole chunks of `length` tokens, counting the boundary that starts the stream, with each chunk's first token replaced by the boundary;
// only the predictions made in a chunk's second half are scored, and the remainder after the last whole chunk is left out.
void plan_llamacpp(std::int64_t tokens, std::int64_t length, Windows& windows) {
    const auto chunks = (tokens + 1) / length;
    if (chunks < 2) {
        throw UsageError(
            strprintf("protocol llamacpp needs at least %lld tokens for length %lld, and the stream has %lld: take a shorter length",
                      static_cast<long long>(2 * length - 1), static_cast<long long>(length), static_cast<long long>(tokens)));
    }
    for (std::int64_t begin = 0; begin < chunks * length; begin += length) {
        windows.push_back({begin, begin + length - 1, begin + length / 2, true});
    }
}

std::int64_t shortest_length(const std::string& protocol) {
    if (protocol == "hf") return 2;
    return protocol == "llamacpp" ? 3 : 1;
}

}  // namespace

const std::vector<std::string>& eval_protocols() {
    static const std::vector<std::string> names{"paper", "hf", "lm-eval", "llamacpp"};
    return names;
}

std::int64_t default_stride(const std::string& protocol, std::int64_t length) {
    const auto& names = eval_protocols();
    if (std::find(names.begin(), names.end(), protocol) == names.end()) {
        const auto near = nearest(protocol, names);
        throw UsageError("unknown protocol '" + protocol + "'" + (near ? " (did you mean '" + *near + "'?)" : "") + ": known are " +
                         join(names, ", "));
    }
    return protocol == "hf" ? std::max<std::int64_t>(1, length / 2) : length;
}

void check_plan(const EvalPlanRequest& request) {
    const auto& protocol = request.protocol;
    const auto length = request.length;
    const auto preset = default_stride(protocol, length);
    if (length < shortest_length(protocol)) {
        throw UsageError(strprintf("evaluation length %lld is too short: protocol %s needs at least %lld", static_cast<long long>(length),
                                   protocol.c_str(), static_cast<long long>(shortest_length(protocol))));
    }
    const auto stride = request.stride == 0 ? preset : request.stride;
    const bool strided = protocol == "paper" || protocol == "hf";
    if (!strided && stride != length) {
        throw UsageError("protocol " + protocol + " has no stride: leave --stride out, or use protocol paper or hf");
    }
    if (stride < 1 || stride > length) {
        throw UsageError(strprintf("stride %lld is out of range: at length %lld it is 1 to %lld", static_cast<long long>(stride),
                                   static_cast<long long>(length), static_cast<long long>(length)));
    }
    if (protocol == "llamacpp" && !request.document_ends.empty()) {
        throw UsageError("protocol llamacpp cuts one stream into chunks: leave --within-documents out");
    }
}

std::vector<EvalWindow> plan_windows(const EvalPlanRequest& request) {
    check_plan(request);
    const auto& protocol = request.protocol;
    const auto length = request.length;
    const auto stride = request.stride == 0 ? default_stride(protocol, length) : request.stride;
    Windows windows;
    if (protocol == "llamacpp") {
        plan_llamacpp(request.tokens, length, windows);
        return windows;
    }
    const std::vector<std::int64_t> whole{request.tokens};
    std::int64_t first = 0;
    for (const auto document_end : request.document_ends.empty() ? whole : request.document_ends) {
        const auto last = std::min(document_end, request.tokens);
        if (protocol == "paper") plan_paper(first, last, length, stride, windows);
        if (protocol == "hf") plan_hf(first, last, length, stride, windows);
        if (protocol == "lm-eval") plan_lm_eval(first, last, length, windows);
        first = last;
    }
    if (windows.empty()) {
        throw UsageError(
            strprintf("protocol %s scores no token of a stream of %lld", protocol.c_str(), static_cast<long long>(request.tokens)));
    }
    return windows;
}

std::vector<EvalWindow> merge_windows(const std::vector<EvalWindow>& windows) {
    Windows merged;
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
