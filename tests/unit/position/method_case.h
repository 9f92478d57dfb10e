// What tests of methods with weighted channels, and of those that compute attention themselves, make of a golden's
// case.
#pragma once

#include <torch/types.h>

#include <cmath>
#include <map>
#include <string>

#include "longbow/position/position_method.h"
#include "unit/position/golden_case.h"

namespace longbow::test {

// Returns a call for tokens at these places of a longer window.
inline PositionCall call_at(const at::Tensor& places, const at::Tensor& q, const at::Tensor& k) {
    auto call = call_of(places.max().item<std::int64_t>() + 1);
    call.positions = places;
    call.q = q;
    call.k = k;
    return call;
}

// Returns the scaled scores of keys that are not after the query, and zeros.
inline at::Tensor scores_of(const Rotated& rotated, const at::Tensor& channel, std::int64_t head_dim) {
    // Keys after the query could have factors that overflow.
    const auto factors = channel.unsqueeze(3).sub(channel.unsqueeze(2)).clamp_max(0).exp().to(rotated.q.scalar_type());
    const auto products = rotated.q.unsqueeze(3).mul(rotated.k.unsqueeze(2)).mul(factors).sum(-1);
    return products.div(std::sqrt(static_cast<double>(head_dim))).tril();
}

inline ScoredAttention attention_of(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
    ScoredAttention in;
    in.q = q;
    in.k = k;
    in.v = v;
    in.scale = 1.0 / std::sqrt(static_cast<double>(q.size(3)));
    return in;
}

using Parameters = torch::OrderedDict<std::string, at::Tensor>;

inline void set_dape(Parameters& parameters, const Case& one) {
    const std::map<std::string, std::string> names = {{"p", "kerple_p"}, {"a", "kerple_a"},    {"in_weight", "w1"},
                                                      {"in_bias", "b1"}, {"out_weight", "w2"}, {"out_bias", "b2"}};
    for (const auto& [ours, theirs] : names) Case::set(parameters[ours], one.stored(theirs));
}

}  // namespace longbow::test
