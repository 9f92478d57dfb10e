#include "attention/ops/call.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>

#include "longbow/attention/choices.h"

namespace longbow {

namespace {

void check_four(const at::Tensor& t, const char* name) {
    TORCH_CHECK_VALUE(t.dim() == 4, "fused_attention: ", name, " must be [batch, heads, length, head_dim], not of ",
                      t.dim(), " dimensions");
}

// Throws if a part of the bias, named as in the schema, is not [1 or batch, heads, length] of these types.
void check_places(const FusedAttentionCall& call, const std::optional<at::Tensor>& t, const char* name,
                  std::int64_t length, bool wide) {
    if (!t) return;
    const auto batch = call.q.size(0), heads = call.q.size(1);
    const bool shaped =
        t->dim() == 3 && (t->size(0) == 1 || t->size(0) == batch) && t->size(1) == heads && t->size(2) == length;
    TORCH_CHECK_VALUE(shaped, "fused_attention: ", name, " must be [1 or batch, heads, length] = [1 or ", batch, ", ",
                      heads, ", ", length, "], not ", t->sizes());
    TORCH_CHECK_VALUE(t->scalar_type() == at::kFloat || (wide && t->scalar_type() == at::kDouble),
                      "fused_attention: ", name, " is ", t->scalar_type(), "; ", wide ? "fp32 and fp64 are" : "fp32 is",
                      " served");
    TORCH_CHECK_VALUE(t->device() == call.q.device(), "fused_attention: ", name, " is on ", t->device(), ", q on ",
                      call.q.device());
}

void check_parts(const FusedAttentionCall& call) {
    check_places(call, call.query_slopes, "query_slopes", call.q.size(2), /*wide=*/false);
    check_places(call, call.key_slopes, "key_slopes", call.k.size(2), /*wide=*/false);
    check_places(call, call.row, "row", call.q.size(2), /*wide=*/true);
    check_places(call, call.column, "column", call.k.size(2), /*wide=*/true);
    if (call.positions) {
        const auto& positions = *call.positions;
        TORCH_CHECK_VALUE(positions.dim() == 1 && positions.size(0) == call.k.size(2),
                          "fused_attention: positions must be [Lk] = [", call.k.size(2), "], not ", positions.sizes());
        TORCH_CHECK_VALUE(positions.device() == call.q.device(), "fused_attention: positions are on ",
                          positions.device(), ", q on ", call.q.device());
    }
    if (call.sink_logit) {
        const auto& sink = *call.sink_logit;
        TORCH_CHECK_VALUE(sink.dim() == 1 && sink.size(0) == call.q.size(1),
                          "fused_attention: sink_logit must be [heads] = [", call.q.size(1), "], not ", sink.sizes());
        TORCH_CHECK_VALUE(sink.device() == call.q.device(), "fused_attention: sink_logit is on ", sink.device(),
                          ", q on ", call.q.device());
    }
}

void check_bias(const FusedAttentionCall& call) {
    const auto batch = call.q.size(0);
    const auto heads = call.q.size(1);
    if (call.slopes) {
        const auto& slopes = *call.slopes;
        const bool shaped = (slopes.dim() == 1 && slopes.size(0) == heads) ||
                            (slopes.dim() == 2 && slopes.size(0) == batch && slopes.size(1) == heads);
        TORCH_CHECK_VALUE(shaped, "fused_attention: alibi_slopes must be [heads] = [", heads, "] or [batch, heads] = [",
                          batch, ", ", heads, "], not ", slopes.sizes());
        TORCH_CHECK_VALUE(slopes.device() == call.q.device(), "fused_attention: alibi_slopes are on ", slopes.device(),
                          ", q on ", call.q.device());
    }
    if (call.table) {
        const auto& table = *call.table;
        TORCH_CHECK_VALUE(table.dim() == 2 && table.size(0) == heads && table.size(1) > 0,
                          "fused_attention: distance_bias must be [heads, M] = [", heads, ", M >= 1], not ",
                          table.sizes());
        TORCH_CHECK_VALUE(table.device() == call.q.device(), "fused_attention: distance_bias is on ", table.device(),
                          ", q on ", call.q.device());
    }
    if (call.lengths) {
        const auto& lengths = *call.lengths;
        TORCH_CHECK_VALUE(
            lengths.dim() == 1 && lengths.size(0) == batch && c10::isIntegralType(lengths.scalar_type(), false),
            "fused_attention: lengths must be integers [batch] = [", batch, "], not ", lengths.scalar_type(), " ",
            lengths.sizes());
        TORCH_CHECK_VALUE(lengths.device() == call.q.device(), "fused_attention: lengths are on ", lengths.device(),
                          ", q on ", call.q.device());
    }
}

void make_dense(std::optional<at::Tensor>& t, at::ScalarType type) {
    if (t) {
        t = t->to(type).contiguous();
    }
}

// Makes the kernels' view of the parts by place; the tensors are replaced by dense ones of the kernels' types.
longbow_places places_of(FusedAttentionCall& call) {
    longbow_places places{};
    const auto batch = call.q.size(0);
    for (auto* slopes : {&call.query_slopes, &call.key_slopes}) {
        if (*slopes) *slopes = (*slopes)->expand({batch, -1, -1});
        make_dense(*slopes, at::kFloat);
    }
    make_dense(call.row, at::kDouble);
    make_dense(call.column, at::kDouble);
    make_dense(call.sink_logit, at::kFloat);
    if (call.query_slopes) places.query_slopes = call.query_slopes->const_data_ptr<float>();
    if (call.key_slopes) places.key_slopes = call.key_slopes->const_data_ptr<float>();
    if (call.row) {
        places.row = call.row->const_data_ptr<double>();
        places.row_batch = call.row->size(0) > 1 ? call.row->size(1) * call.row->size(2) : 0;
    }
    if (call.column) {
        places.column = call.column->const_data_ptr<double>();
        places.column_batch = call.column->size(0) > 1 ? call.column->size(1) * call.column->size(2) : 0;
    }
    make_dense(call.positions, at::kDouble);
    if (call.positions) places.positions = call.positions->const_data_ptr<double>();
    places.skip_by_table = call.skip_by_table ? 1 : 0;
    if (call.sink_logit) places.sink_logit = call.sink_logit->const_data_ptr<float>();
    return places;
}

// Returns the heads of q, k and v, one after the other.
std::int64_t all_heads(const FusedAttentionCall& c) { return c.q.size(1) + 2 * c.k.size(1); }

// Returns whether q, k, v are the three parts of one [batch, length, heads + 2 kv_heads, head_dim], as the model makes
// them. Their gradients are then the same views of one such buffer, and joining them costs nothing.
bool are_views_of_one_tensor(const FusedAttentionCall& c) {
    const auto row = all_heads(c) * c.q.size(3);
    const auto size = c.q.element_size();
    const auto at = [](const at::Tensor& t) { return static_cast<const char*>(t.const_data_ptr()); };
    return c.q.size(2) == c.k.size(2) && c.q.strides() == c.k.strides() && c.q.strides() == c.v.strides() &&
           c.q.stride(2) == row && c.q.stride(1) == c.q.size(3) && c.q.stride(0) == row * c.q.size(2) &&
           at(c.k) - at(c.q) == static_cast<std::ptrdiff_t>(c.q.size(1) * c.q.size(3) * size) &&
           at(c.v) - at(c.k) == static_cast<std::ptrdiff_t>(c.k.size(1) * c.q.size(3) * size);
}

}  // namespace

std::int32_t dtype_of(at::ScalarType type) {
    switch (type) {
        case at::kBFloat16: return LONGBOW_BF16;
        case at::kHalf: return LONGBOW_F16;
        default: return LONGBOW_F32;
    }
}

void check_call(const FusedAttentionCall& call) {
    const auto& q = call.q;
    check_four(q, "q");
    check_four(call.k, "k");
    check_four(call.v, "v");
    const auto type = q.scalar_type();
    TORCH_CHECK_VALUE(type == at::kFloat || type == at::kBFloat16 || type == at::kHalf, "fused_attention: q is ", type,
                      "; fp32, bf16 and fp16 are served");
    for (const auto& [t, name] : {std::pair{call.k, "k"}, std::pair{call.v, "v"}}) {
        TORCH_CHECK_VALUE(t.scalar_type() == type, "fused_attention: ", name, " is ", t.scalar_type(), ", q ", type);
        TORCH_CHECK_VALUE(t.device() == q.device(), "fused_attention: ", name, " is on ", t.device(), ", q on ",
                          q.device());
        TORCH_CHECK_VALUE(t.size(0) == q.size(0) && t.size(1) == call.k.size(1) && t.size(3) == q.size(3),
                          "fused_attention: ", name, " ", t.sizes(), " does not go with q ", q.sizes(),
                          " (batch and head_dim must be the same, and the heads of k and v)");
    }
    TORCH_CHECK_VALUE(q.size(1) == call.k.size(1) || (call.k.size(1) > 0 && q.size(1) % call.k.size(1) == 0),
                      "fused_attention: the ", q.size(1), " heads of q are no multiple of the ", call.k.size(1),
                      " heads of k and v");
    TORCH_CHECK_VALUE(call.k.size(2) == call.v.size(2), "fused_attention: k has ", call.k.size(2), " rows and v ",
                      call.v.size(2));
    const auto head_dim = q.size(3);
    TORCH_CHECK_VALUE(head_dim % 8 == 0 && head_dim >= 8 && head_dim <= 256,
                      "fused_attention: head_dim must be a multiple of 8 from 8 to 256, not ", head_dim);
    constexpr auto kMost = std::int64_t{1} << 30;
    TORCH_CHECK_VALUE(q.size(2) < kMost && call.k.size(2) < kMost && q.size(0) * q.size(1) < kMost,
                      "fused_attention: q ", q.sizes(), ", k ", call.k.sizes(), " are too large");
    check_bias(call);
    check_parts(call);
    TORCH_CHECK_VALUE(call.window >= 0 && call.window < kMost, "fused_attention: window must be 0 (none) or more, not ",
                      call.window);
    TORCH_CHECK_VALUE(call.sinks >= 0 && call.sinks < kMost, "fused_attention: sinks must be 0 (none) or more, not ",
                      call.sinks);
    TORCH_CHECK_VALUE(call.dropout >= 0.0 && call.dropout < 1.0, "fused_attention: dropout must be in [0, 1), not ",
                      call.dropout);
    TORCH_CHECK_VALUE(std::isfinite(*call.scale), "fused_attention: scale is ", *call.scale);
}

FusedAttentionCall with_scale(FusedAttentionCall call) {
    if (!call.scale) call.scale = 1.0 / std::sqrt(static_cast<double>(call.q.size(-1)));
    return call;
}

double checked_skip_threshold(double threshold) {
    TORCH_CHECK_VALUE(threshold != 0.0 && !std::isnan(threshold), "fused_attention: skip_threshold is ", threshold,
                      "; it must be above 0, inf (off), or below 0 (the default, exact in fp32)");
    return threshold < 0.0 ? kExactSkipThreshold : threshold;
}

longbow_attention shape_of(const FusedAttentionCall& call) {
    longbow_attention a{};
    a.batch = static_cast<std::int32_t>(call.q.size(0));
    a.heads = static_cast<std::int32_t>(call.q.size(1));
    a.kv_heads = static_cast<std::int32_t>(call.k.size(1));
    a.query_length = static_cast<std::int32_t>(call.q.size(2));
    a.key_length = static_cast<std::int32_t>(call.k.size(2));
    a.head_dim = static_cast<std::int32_t>(call.q.size(3));
    a.dtype = dtype_of(call.q.scalar_type());
    a.causal = call.causal ? 1 : 0;
    a.window = static_cast<std::int32_t>(call.window);
    // More sinks than keys are as many.
    a.places.sinks = call.window > 0 ? static_cast<std::int32_t>(std::min(call.sinks, call.k.size(2))) : 0;
    a.lengths = call.lengths ? call.lengths->const_data_ptr<std::int32_t>() : nullptr;
    return a;
}

longbow_attention boundary_of(FusedAttentionCall& call) {
    call.q = with_dense_rows(call.q);
    call.k = with_dense_rows(call.k);
    call.v = with_dense_rows(call.v);
    make_dense(call.slopes, at::kFloat);
    make_dense(call.table, at::kFloat);
    make_dense(call.lengths, at::kInt);
    auto a = shape_of(call);
    const auto sinks = a.places.sinks;
    a.places = places_of(call);
    a.places.sinks = sinks;
    a.scale = static_cast<float>(*call.scale);
    a.q = rows_of_tensor(call.q);
    a.k = rows_of_tensor(call.k);
    a.v = rows_of_tensor(call.v);
    if (call.slopes) {
        a.slopes = call.slopes->const_data_ptr<float>();
        a.slopes_batch = call.slopes->dim() == 2 ? call.slopes->size(1) : 0;
    }
    if (call.table) {
        a.table = call.table->const_data_ptr<float>();
        a.table_length = static_cast<std::int32_t>(call.table->size(1));
    }
    a.dropout_keep = std::max(1, static_cast<std::int32_t>(std::lround((1.0 - call.dropout) * 256.0)));
    a.dropout_seed = static_cast<std::uint64_t>(call.dropout_seed);
    a.dropout_offset = static_cast<std::uint64_t>(call.dropout_offset);
    return a;
}

longbow_tensor4 rows_of_tensor(const at::Tensor& t) { return {t.data_ptr(), t.stride(0), t.stride(1), t.stride(2)}; }

at::Tensor with_dense_rows(const at::Tensor& t) { return t.stride(3) == 1 || t.numel() == 0 ? t : t.contiguous(); }

at::Tensor empty_merged(const at::Tensor& like) {
    return at::empty({like.size(0), like.size(2), like.size(1), like.size(3)}, like.options()).transpose(1, 2);
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> empty_gradients(const FusedAttentionCall& call) {
    const auto& q = call.q;
    if (!are_views_of_one_tensor(call)) {
        return {empty_merged(q), empty_merged(call.k), empty_merged(call.v)};
    }
    const auto all = at::empty({q.size(0), q.size(2), all_heads(call), q.size(3)}, q.options()).transpose(1, 2);
    const auto heads = q.size(1), kv_heads = call.k.size(1);
    return {all.narrow(1, 0, heads), all.narrow(1, heads, kv_heads), all.narrow(1, heads + kv_heads, kv_heads)};
}

}  // namespace longbow
