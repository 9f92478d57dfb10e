// Which windows a protocol scores: a pure list, checked by property tests. docs/evaluation.md defines each protocol.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace longbow {

// Inputs are positions [begin, end) of the shifted stream (input p predicts target p); targets [score_begin, end) are scored.
struct EvalWindow {
    std::int64_t begin, end, score_begin;
    bool operator==(const EvalWindow&) const = default;
};

struct EvalPlanRequest {
    std::string protocol = "paper";  // paper | hf | lm-eval | llamacpp
    std::int64_t length = 0;
    std::int64_t stride = 0;         // 0: the protocol's default (paper: length, that is, non-overlapping)
    std::int64_t tokens = 0;         // targets in the stream
    std::vector<std::int64_t> document_ends;  // windows within documents when not empty
};

// Throws UsageError (a stride that the protocol does not allow, a length below what it needs, ...).
std::vector<EvalWindow> plan_windows(const EvalPlanRequest& request);

}  // namespace longbow
