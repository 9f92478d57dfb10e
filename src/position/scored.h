// Serves methods that compute attention themselves (PositionMethod::attend()), with all scores in memory. Half
// precision is computed in fp32; the caller keeps autocast off.
#pragma once

#include "longbow/position/position_method.h"

namespace longbow {

// Returns the type that attention is computed in, fp32 or fp64.
at::ScalarType wide_type(const at::Tensor& x);

// Returns the scaled products of queries and keys, wide, [batch, heads, Lq, Lk].
at::Tensor scaled_products(const ScoredAttention& in);

// Returns how many places key j is before query i, [Lq, Lk] int64; the queries are the last tokens.
at::Tensor key_distances(const ScoredAttention& in);

// Returns which of the keys at these distances the causal mask or the window hides.
at::Tensor hidden_keys(const ScoredAttention& in, const at::Tensor& distances);

// Returns the sums of the values by these weights [batch, heads, Lq, Lk], some of which dropout takes out.
at::Tensor weighted_values(const ScoredAttention& in, const at::Tensor& weights);

// Returns the same with the softmax of the scores of the keys that are not hidden.
at::Tensor softmax_values(const ScoredAttention& in, const at::Tensor& scores, const at::Tensor& hidden);

}  // namespace longbow
