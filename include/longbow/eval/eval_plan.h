// The windows of one evaluation: a pure list, checked by property tests. protocol.h says where the protocols stand.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longbow/eval/protocol.h"

namespace longbow {

struct EvalPlanRequest {
    std::string protocol = "paper";
    std::int64_t length = 0;
    std::int64_t stride = 0;                  // 0: the protocol's default
    std::int64_t tokens = 0;                  // targets in the stream
    std::vector<std::int64_t> document_ends;  // windows within documents when not empty (cut at `tokens`)
};

// The stride that 0 stands for. Throws UsageError on an unknown protocol.
std::int64_t default_stride(const std::string& protocol, std::int64_t length);

// Throws UsageError where no text has such windows: an unknown protocol, a stride that it does not allow, a length below what it needs, ... The
// request's tokens do not count.
void check_plan(const EvalPlanRequest& request);

// Throws what check_plan() throws, and UsageError where this text has none. Windows come in stream order and no
// target is scored twice.
std::vector<EvalWindow> plan_windows(const EvalPlanRequest& request);

// Each length once, in the order in which they are first named; a line of the log says which stand there twice.
std::vector<std::int64_t> distinct_lengths(const std::vector<std::int64_t>& lengths);

// Tokens of the longest stretch that a window can lie in: the stream, or its longest document.
std::int64_t longest_stretch(const EvalPlanRequest& request);

// Warns, and is true, where that is shorter than the request's length: then no window is as long as the length says.
bool warn_if_unreached(const EvalPlanRequest& request);

// The same targets in fewer forward passes: windows that begin at one place and score adjoining targets become one, since a causal model
// gives each of them what it would in the longer pass. (A sliding plan's first windows all begin at 0.)
std::vector<EvalWindow> merge_windows(const std::vector<EvalWindow>& windows);

}  // namespace longbow
