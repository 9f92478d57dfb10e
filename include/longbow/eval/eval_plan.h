// Plans the windows of an evaluation as a plain list, which property tests check. protocol.h has the protocols.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "longbow/eval/protocol.h"

namespace longbow {

struct EvalPlanRequest {
    std::string protocol = "paper";
    std::int64_t length = 0;
    std::int64_t stride = 0;                  // 0: the protocol's default
    std::int64_t tokens = 0;                  // number of targets in the stream
    std::vector<std::int64_t> document_ends;  // if not empty, windows stay within documents (cut off at `tokens`)
    std::optional<Bos> bos{};                 // absent: default_bos()
    bool truncate = false;
    std::int64_t min_document_tokens = 0;
    bool ends_with_boundary = false;  // TokenStream::ends_with_boundary()
};

// Returns the stride that a request of 0 stands for. Throws UsageError for an unknown protocol.
std::int64_t default_stride(const std::string& protocol, std::int64_t length);

// Returns the documents in which windows lie, or the whole stream, as [first, last); without those that are shorter
// than min_document_tokens, and without what the protocol does not count as a document's token.
std::vector<std::pair<std::int64_t, std::int64_t>> planned_stretches(const EvalPlanRequest& request);

// Throws UsageError if no text can have such windows: an unknown protocol, a stride that it does not allow, a length
// below its least, ... The request's `tokens` are not looked at.
void check_plan(const EvalPlanRequest& request);

// Plans the windows, in stream order; no target is scored twice. Throws what check_plan() throws, and UsageError if
// this text has no window.
std::vector<EvalWindow> plan_windows(const EvalPlanRequest& request);

// Returns each length once, in the order of first appearance. Logs which lengths appear twice.
std::vector<std::int64_t> distinct_lengths(const std::vector<std::int64_t>& lengths);

// Returns the number of tokens of the longest window that the stream, or its longest document, could fill.
std::int64_t longest_stretch(const EvalPlanRequest& request);

// Warns and returns true if the longest stretch is shorter than the request's length, so that no window has that
// length.
bool warn_if_unreached(const EvalPlanRequest& request);

// Merges windows that begin at one place and score adjoining targets into one, so that the same targets take fewer
// forward passes: a causal model gives each target the same loss in the longer pass. (A sliding plan's first windows
// all begin at 0.) If its position method depends on the window's length, that is not so, and forward_windows()
// (evaluator.h) leaves the windows as they are.
std::vector<EvalWindow> merge_windows(const std::vector<EvalWindow>& windows);

}  // namespace longbow
