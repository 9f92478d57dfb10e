// Computes attention from what a position method gives by whole matrices and plain operators, apart from src/attention.
#pragma once

#include <torch/types.h>

#include <cmath>
#include <limits>

#include "longbow/position/position_method.h"

namespace longbow::test {

// Returns i - j [Lq, Lk] of the places of queries and keys; the queries are the last tokens.
inline at::Tensor place_distance(std::int64_t queries, std::int64_t keys) {
    return torch::arange(keys - queries, keys).unsqueeze(1).sub(torch::arange(keys));
}

// Returns which keys [Lq, Lk] a query sees.
inline at::Tensor visible(const BiasSpec& spec, std::int64_t queries, std::int64_t keys) {
    const auto distance = place_distance(queries, keys);
    const auto past = distance.ge(0);
    if (spec.window == 0) return past;
    return past.logical_and(distance.lt(spec.window).logical_or(torch::arange(keys).lt(spec.sinks)));
}

// Returns the sum of slopes and table, [heads, Lq, Lk], without what no query sees. Undefined: there is neither.
inline at::Tensor distance_bias(const BiasSpec& spec, std::int64_t queries, std::int64_t keys) {
    auto distance = place_distance(queries, keys);
    if (spec.positions.defined()) {
        const auto& p = spec.positions;
        distance = p.narrow(0, keys - queries, queries).unsqueeze(1).sub(p);
    }
    distance = distance.clamp_min(0);
    at::Tensor bias;
    if (spec.slopes.defined()) bias = spec.slopes.neg().view({-1, 1, 1}).mul(distance);
    if (spec.table.defined()) {
        const auto column = distance.clamp_max(spec.table.size(1) - 1);
        const auto part = spec.table.index_select(1, column.flatten()).view({-1, queries, keys});
        bias = bias.defined() ? bias.add(part) : part;
    }
    return bias;
}

// Returns the scaled products [batch, heads, Lq, Lk], of the far pair where a key is far.
inline at::Tensor products(const Rotated& rotated) {
    const double scale = 1.0 / std::sqrt(static_cast<double>(rotated.q.size(-1)));
    const auto near = rotated.q.matmul(rotated.k.transpose(-1, -2)).mul(scale);
    if (!rotated.far_q.defined()) return near;
    const auto far = rotated.far_q.matmul(rotated.far_k.transpose(-1, -2)).mul(scale);
    return torch::where(place_distance(near.size(-2), near.size(-1)).ge(rotated.far_from), far, near);
}

struct PlainAttention {
    at::Tensor scores{};       // [batch, heads, Lq, Lk], with -inf for hidden keys
    at::Tensor sink_weight{};  // [batch, heads, Lq]; undefined without a sink logit
    at::Tensor out{};          // [batch, heads, Lq, head_dim]
};

inline PlainAttention plain_attention(const Rotated& rotated, const at::Tensor& v, const BiasSpec& spec) {
    PlainAttention result;
    auto scores = products(rotated);
    const auto queries = scores.size(-2), keys = scores.size(-1);
    if (const auto bias = distance_bias(spec, queries, keys); bias.defined()) scores = scores.add(bias);
    scores = scores.masked_fill(visible(spec, queries, keys).logical_not(), -std::numeric_limits<double>::infinity());
    result.scores = scores;
    if (spec.sink_logit.defined()) {
        const auto sink = spec.sink_logit.view({1, -1, 1, 1}).expand({scores.size(0), scores.size(1), queries, 1});
        scores = torch::cat({scores, sink}, -1);
    }
    const auto weights = scores.softmax(-1);
    if (spec.sink_logit.defined()) result.sink_weight = weights.select(-1, keys);
    result.out = weights.narrow(-1, 0, keys).matmul(v);
    return result;
}

}  // namespace longbow::test
