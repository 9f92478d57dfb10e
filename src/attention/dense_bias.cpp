// Computes the bias as a matrix, including the causal mask and the window.
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/searchsorted.h>
#include <ATen/ops/zeros.h>

#include <limits>

#include "backends.h"
#include "longbow/attention/attention_backend.h"

namespace longbow {

namespace {

// Returns [heads, Lq, Lk].
at::Tensor table_term(const BiasSpec& bias, const at::Tensor& distance) {
    // embedding() is used instead of index() because its backward pass is deterministic, and fast where many pairs
    // share an entry.
    return at::embedding(bias.table.t(), distance.to(at::kLong).clamp(0, bias.table.size(1) - 1)).permute({2, 0, 1});
}

// Returns [heads, Lq, Lk]. Keys in the future get the value of distance 0.
at::Tensor curve_term(const BiasCurve& curve, const at::Tensor& distance) {
    const auto warp = at::embedding(curve.warp.unsqueeze(1), distance.to(at::kLong).clamp_min(0)).squeeze(-1);
    const auto u = warp.mul(curve.row_scale.unsqueeze(1));
    const auto piece = at::searchsorted(curve.knots, u.detach().contiguous());
    const auto of_piece = [&](const at::Tensor& values) { return at::embedding(values.t(), piece).permute({2, 0, 1}); };
    return of_piece(curve.slope).mul(u).add(of_piece(curve.offset));
}

// Returns the distances [Lq, Lk]: int64, or fp64 if the positions are not whole.
at::Tensor distances(const BiasSpec& bias, const at::Tensor& places) {
    if (!bias.positions.defined()) return places;
    const auto positions = bias.positions.is_floating_point() ? bias.positions.to(at::kDouble) : bias.positions;
    return positions.narrow(0, positions.size(0) - places.size(0), places.size(0)).unsqueeze(1).sub(positions);
}

}  // namespace

at::Tensor dense_bias(const BiasSpec& bias, std::int64_t query_length, std::int64_t key_length,
                      const at::TensorOptions& options) {
    const auto index = options.dtype(at::kLong).requires_grad(false);
    const auto query = at::arange(key_length - query_length, key_length, index).unsqueeze(1);
    const auto key = at::arange(key_length, index);
    const auto place = query.sub(key);  // [Lq, Lk], negative for keys in the future
    const auto distance = distances(bias, place);
    // A narrow type holds neither every distance nor every slope, so that the bias is rounded once and not its factors.
    const auto wide = c10::typeMetaToScalarType(options.dtype()) == at::kDouble ? at::kDouble : at::kFloat;
    at::Tensor dense;
    const auto add = [&](const at::Tensor& term) {
        const auto rounded = term.to(options.dtype());
        dense = dense.defined() ? dense.add(rounded) : rounded;
    };
    // The bias is computed as -slope * (i - j) and never as slope * j, so that the products stay exact near the
    // diagonal at any length.
    if (bias.slopes.defined()) add(bias.slopes.to(wide).neg().view({1, -1, 1, 1}).mul(distance.to(wide)));
    if (bias.query_slopes.defined()) add(bias.query_slopes.to(wide).neg().unsqueeze(3).mul(distance.to(wide)));
    if (bias.key_slopes.defined()) add(bias.key_slopes.to(wide).neg().unsqueeze(2).mul(distance.to(wide)));
    if (bias.table.defined()) add(table_term(bias, distance).unsqueeze(0));
    if (bias.curve) add(curve_term(*bias.curve, distance).unsqueeze(0));
    if (bias.row.defined() && bias.column.defined()) {
        add(bias.row.unsqueeze(3).add(bias.column.unsqueeze(2)));
    } else if (bias.row.defined()) {
        add(bias.row.unsqueeze(3).expand({-1, -1, -1, key_length}));
    } else if (bias.column.defined()) {
        add(bias.column.unsqueeze(2).expand({-1, -1, query_length, -1}));
    }
    if (!dense.defined()) dense = at::zeros({1, 1, query_length, key_length}, options);
    auto hidden = place.lt(0);
    if (bias.window > 0) {
        auto out_of_sight = place.ge(bias.window);
        if (bias.sinks > 0) out_of_sight = out_of_sight.logical_and(key.ge(bias.sinks));
        hidden = hidden.logical_or(out_of_sight);
    }
    return dense.masked_fill(hidden, -std::numeric_limits<double>::infinity());
}

at::Tensor far_keys(const AttentionInput& in) {
    const auto rows = in.q.size(2), columns = in.k.size(2);
    const auto index = at::TensorOptions().dtype(at::kLong).device(in.q.device());
    const auto place = at::arange(columns - rows, columns, index).unsqueeze(1);
    return place.sub(at::arange(columns, index)).ge(in.far_from);
}

BiasSpec bias_of_rows(const BiasSpec& bias, std::int64_t begin, std::int64_t end, std::int64_t columns) {
    auto part = bias;
    const auto rows = [&](at::Tensor& tensor) {
        if (tensor.defined()) tensor = tensor.slice(-1, begin, end);
    };
    const auto keys = [&](at::Tensor& tensor, std::int64_t dim) {
        if (tensor.defined()) tensor = tensor.slice(dim, 0, columns);
    };
    rows(part.query_slopes);
    rows(part.row);
    if (part.curve) rows(part.curve->row_scale);
    keys(part.key_slopes, -1);
    keys(part.column, -1);
    keys(part.positions, -1);
    keys(part.channel, 2);
    return part;
}

}  // namespace longbow
