// Sizes and sums that the back-ends' accounts of their memory share.
#pragma once

#include "longbow/attention/attention_backend.h"

namespace longbow {

// Holds what the back-ends' formulas share, as numbers of elements: q, k and v together; the scores; the rows'
// log-sum-exps.
struct AttentionSizes {
    AttentionSizes(const AttentionRequest& request, const AttentionPass& pass)
        : rows(static_cast<double>(pass.batch * pass.heads * pass.length)),
          qkv(3 * rows * static_cast<double>(request.head_dim)),
          scores(rows * static_cast<double>(pass.length)) {}
    double rows, qkv, scores;
};
// Return the bytes of an element of q, and of the type in which sums are computed.
inline double narrow_bytes(const AttentionPass& pass) { return static_cast<double>(c10::elementSize(pass.type)); }
inline double wide_bytes(const AttentionPass& pass) { return pass.type == at::kDouble ? 8 : 4; }
inline bool on_gpu(const AttentionRequest& request) { return request.device.rfind("cuda", 0) == 0; }

// Returns the memory of attention that is computed step by step with all scores in memory: copies of q, k and v for the
// batched products, and the probabilities; with dropout, the probabilities again and a mask (on a CPU in their type).
AttentionMemory step_by_step_memory(const AttentionRequest& request, const AttentionPass& pass);

}  // namespace longbow
