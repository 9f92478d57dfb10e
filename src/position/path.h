// Implements PaTH attention (Yang et al., 2025): between a key and a query, each token t turns what the query compares
// with by I - beta_t w_t w_t^T, of a unit vector w_t and a number beta_t in (0, 2) that the token sets.
#pragma once

#include "longbow/position/position_method.h"

namespace longbow {

// What the tokens set, in the type that attention is computed in.
struct PathTokens {
    at::Tensor w{};          // [batch, heads, Lk, head_dim], of length 1
    at::Tensor beta{};       // [batch, heads, Lk]
    at::Tensor log_gates{};  // [batch, heads, Lk]: scores get the sums of those after the key (FoX); undefined: none
};

// Returns attention [batch, heads, Lq, head_dim]. Its scores are k_j (prod over t = j + 1 .. i of I - beta_t w_t w_t^T)
// q_i, where the query meets its own token first.
at::Tensor path_attention(const ScoredAttention& in, const PathTokens& tokens);

}  // namespace longbow
