// Sizes and sums that the back-ends' accounts of their memory share.
#pragma once

#include "longbow/attention/attention_backend.h"

namespace longbow {

inline std::int64_t kv_heads_of(const AttentionPass& pass) { return pass.kv_heads > 0 ? pass.kv_heads : pass.heads; }

// Holds what the back-ends' formulas share, as numbers of elements: q, k and v together; k and v with as many heads as
// q, if they have fewer; the scores; the rows' log-sum-exps.
struct AttentionSizes {
    AttentionSizes(const AttentionRequest& request, const AttentionPass& pass)
        : rows(static_cast<double>(pass.batch * pass.heads * pass.length)),
          q(rows * static_cast<double>(request.head_dim)),
          qkv(q * (1 + 2 * static_cast<double>(kv_heads_of(pass)) / static_cast<double>(pass.heads))),
          repeated(kv_heads_of(pass) < pass.heads ? 2 * q : 0),
          scores(rows * static_cast<double>(pass.length)) {}
    double rows, q, qkv, repeated, scores;
};
// Return the bytes of an element of q, and of the type in which sums are computed.
inline double narrow_bytes(const AttentionPass& pass) { return static_cast<double>(c10::elementSize(pass.type)); }
inline double wide_bytes(const AttentionPass& pass) { return pass.type == at::kDouble ? 8 : 4; }
inline bool on_gpu(const AttentionRequest& request) { return request.device.rfind("cuda", 0) == 0; }

// Returns the bias of the queries begin .. end - 1 of those of `bias`, and of the first `columns` keys, which end with
// the last of these queries.
BiasSpec bias_of_rows(const BiasSpec& bias, std::int64_t begin, std::int64_t end, std::int64_t columns);

// Returns which keys take part as far_k: bool [Lq, Lk], on the queries' device (AttentionInput::far_from).
at::Tensor far_keys(const AttentionInput& in);

// Returns the scores [batch, heads, Lq, Lk] of q and k [batch, heads, .., head_dim] with the factors of a channel
// (BiasSpec::channel) that rises nowhere along the keys. Those of keys after the query mean nothing.
at::Tensor channel_scores(const at::Tensor& q, const at::Tensor& k, const at::Tensor& channel);

// Returns k or v [batch, kv_heads, Lk, head_dim] with one head for each of `heads`.
at::Tensor for_each_query_head(const at::Tensor& t, std::int64_t heads);

// Returns in words what of the request this back-end does not serve, as the end of a sentence; empty: nothing.
std::string refuses_attend(const AttentionRequest& request);

// Returns the memory of attention that is computed step by step with all scores in memory: copies of q, k and v for the
// batched products, and the probabilities; with dropout, the probabilities again and a mask (on a CPU in their type).
AttentionMemory step_by_step_memory(const AttentionRequest& request, const AttentionPass& pass);

}  // namespace longbow
