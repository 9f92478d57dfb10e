#include "scored.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/dropout.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>

#include <limits>

namespace longbow {

at::ScalarType wide_type(const at::Tensor& x) { return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat; }

at::Tensor scaled_products(const ScoredAttention& in) {
    const auto wide = wide_type(in.q);
    return at::matmul(in.q.to(wide).mul(in.scale), in.k.to(wide).transpose(2, 3));
}

at::Tensor key_distances(const ScoredAttention& in) {
    const auto rows = in.q.size(2), columns = in.k.size(2);
    const auto places = at::arange(columns, at::TensorOptions().dtype(at::kLong).device(in.q.device()));
    return places.narrow(0, columns - rows, rows).unsqueeze(1).sub(places);
}

at::Tensor hidden_keys(const ScoredAttention& in, const at::Tensor& distances) {
    const auto later = distances.lt(0);
    if (in.bias.window == 0) return later;
    auto far = distances.ge(in.bias.window);
    if (in.bias.sinks > 0) far = far.logical_and(at::arange(distances.size(1), distances.options()).ge(in.bias.sinks));
    return later.logical_or(far);
}

at::Tensor weighted_values(const ScoredAttention& in, const at::Tensor& weights) {
    const auto kept = at::dropout(weights, in.dropout, in.dropout > 0.0);
    return at::matmul(kept, in.v.to(kept.scalar_type())).to(in.v.scalar_type());
}

at::Tensor softmax_values(const ScoredAttention& in, const at::Tensor& scores, const at::Tensor& hidden) {
    return weighted_values(in, scores.masked_fill(hidden, -std::numeric_limits<double>::infinity()).softmax(-1));
}

}  // namespace longbow
