// The operators' schemas, their shapes without data (Meta), their derivative, and their C++ faces. What computes is in ops_cpu.cpp.
#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "attention/ops/call.h"
#include "attention/ops/device.h"
#include "longbow/attention/fused_attention.h"

namespace longbow {

namespace {

using OptionalTensor = std::optional<at::Tensor>;
using Two = std::tuple<at::Tensor, at::Tensor>;
using Three = std::tuple<at::Tensor, at::Tensor, at::Tensor>;
using Five = std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor>;

TORCH_LIBRARY(longbow, m) {
    m.def(
        "fused_attention(Tensor q, Tensor k, Tensor v, Tensor? alibi_slopes=None, Tensor? distance_bias=None, *, Tensor? lengths=None, "
        "bool causal=True, int window=0, float dropout=0.0, int dropout_seed=0, int dropout_offset=0, float? scale=None, "
        "float skip_threshold=-1.0) -> (Tensor out, Tensor lse)");
    m.def(
        "visited_fraction(Tensor q, Tensor k, Tensor? alibi_slopes, *, bool causal=True, int window=0, float? scale=None, "
        "float skip_threshold=-1.0) -> Tensor");
    // What the derivative needs beside the outputs: the table of blocks that the forward pass visited (empty: all; on CPU perhaps with
    // entries for groups of rows, ops/device.h).
    m.def(
        "fused_attention_forward(Tensor q, Tensor k, Tensor v, Tensor? alibi_slopes, Tensor? distance_bias, Tensor? lengths, bool causal, "
        "int window, float dropout, int dropout_seed, int dropout_offset, float scale, float skip_threshold) -> (Tensor out, Tensor lse, "
        "Tensor first_key_block)");
    // dalibi_slopes [batch, heads] and ddistance_bias are empty where not wanted.
    m.def(
        "fused_attention_backward(Tensor grad, Tensor q, Tensor k, Tensor v, Tensor out, Tensor lse, Tensor first_key_block, "
        "Tensor? alibi_slopes, Tensor? distance_bias, Tensor? lengths, bool causal, int window, float dropout, int dropout_seed, "
        "int dropout_offset, float scale, bool slopes_grad, bool table_grad) -> (Tensor dq, Tensor dk, Tensor dv, Tensor dalibi_slopes, "
        "Tensor ddistance_bias)");
}

Three call_forward(const AttentionCall& c, double skip_threshold) {
    using Signature = Three(const at::Tensor&, const at::Tensor&, const at::Tensor&, const OptionalTensor&, const OptionalTensor&,
                            const OptionalTensor&, bool, std::int64_t, double, std::int64_t, std::int64_t, double, double);
    static const auto op = c10::Dispatcher::singleton().findSchemaOrThrow("longbow::fused_attention_forward", "").typed<Signature>();
    return op.call(c.q, c.k, c.v, c.slopes, c.table, c.lengths, c.causal, c.window, c.dropout, c.dropout_seed, c.dropout_offset, c.scale,
                   skip_threshold);
}

Five call_backward(const at::Tensor& grad, const AttentionCall& c, const at::Tensor& out, const at::Tensor& lse,
                   const at::Tensor& first_key_block, bool slopes_grad, bool table_grad) {
    using Signature = Five(const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&,
                           const at::Tensor&, const OptionalTensor&, const OptionalTensor&, const OptionalTensor&, bool, std::int64_t,
                           double, std::int64_t, std::int64_t, double, bool, bool);
    static const auto op = c10::Dispatcher::singleton().findSchemaOrThrow("longbow::fused_attention_backward", "").typed<Signature>();
    return op.call(grad, c.q, c.k, c.v, out, lse, first_key_block, c.slopes, c.table, c.lengths, c.causal, c.window, c.dropout,
                   c.dropout_seed, c.dropout_offset, c.scale, slopes_grad, table_grad);
}

bool wants_gradient(const OptionalTensor& t) { return t && t->requires_grad(); }

class FusedAttention : public torch::autograd::Function<FusedAttention> {
public:
    static torch::autograd::variable_list forward(torch::autograd::AutogradContext* ctx, const at::Tensor& q, const at::Tensor& k,
                                                  const at::Tensor& v, const OptionalTensor& slopes, const OptionalTensor& table,
                                                  const OptionalTensor& lengths, bool causal, std::int64_t window, double dropout,
                                                  std::int64_t seed, std::int64_t offset, double scale, double skip_threshold) {
        const at::AutoDispatchBelowADInplaceOrView below;
        const AttentionCall call{q, k, v, slopes, table, lengths, causal, window, dropout, seed, offset, scale};
        auto [out, lse, first_key_block] = call_forward(call, skip_threshold);
        ctx->save_for_backward({q, k, v, out, lse, first_key_block, slopes.value_or(at::Tensor()), table.value_or(at::Tensor()),
                                lengths.value_or(at::Tensor())});
        ctx->saved_data["causal"] = causal;
        ctx->saved_data["window"] = window;
        ctx->saved_data["dropout"] = dropout;
        ctx->saved_data["seed"] = seed;
        ctx->saved_data["offset"] = offset;
        ctx->saved_data["scale"] = scale;
        ctx->saved_data["slopes_grad"] = wants_gradient(slopes);
        ctx->saved_data["table_grad"] = wants_gradient(table);
        ctx->mark_non_differentiable({lse});
        return {out, lse};
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx, const torch::autograd::variable_list& grads) {
        constexpr std::size_t kInputs = 13;
        torch::autograd::variable_list result(kInputs);
        if (!grads[0].defined()) {
            return result;
        }
        const at::AutoDispatchBelowADInplaceOrView below;
        const auto saved = ctx->get_saved_variables();
        const auto optional = [&](std::size_t i) { return saved[i].defined() ? OptionalTensor(saved[i]) : OptionalTensor(); };
        const auto& data = ctx->saved_data;
        const AttentionCall call{saved[0],
                                 saved[1],
                                 saved[2],
                                 optional(6),
                                 optional(7),
                                 optional(8),
                                 data.at("causal").toBool(),
                                 data.at("window").toInt(),
                                 data.at("dropout").toDouble(),
                                 data.at("seed").toInt(),
                                 data.at("offset").toInt(),
                                 data.at("scale").toDouble()};
        const bool slopes_grad = data.at("slopes_grad").toBool();
        const bool table_grad = data.at("table_grad").toBool();
        auto [dq, dk, dv, dslopes, dtable] = call_backward(grads[0], call, saved[3], saved[4], saved[5], slopes_grad, table_grad);
        result[0] = dq;
        result[1] = dk;
        result[2] = dv;
        if (slopes_grad) {
            result[3] = (call.slopes->dim() == 1 ? dslopes.sum(0) : dslopes).to(call.slopes->scalar_type());
        }
        if (table_grad) {
            result[4] = dtable.to(call.table->scalar_type());
        }
        return result;
    }
};

Two with_gradient(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const OptionalTensor& slopes, const OptionalTensor& table,
                  const OptionalTensor& lengths, bool causal, std::int64_t window, double dropout, std::int64_t seed, std::int64_t offset,
                  std::optional<double> scale, double skip_threshold) {
    const auto outputs = FusedAttention::apply(q, k, v, slopes, table, lengths, causal, window, dropout, seed, offset,
                                               scale_or_default(scale, q), skip_threshold);
    return {outputs[0], outputs[1]};
}

Two without_gradient(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const OptionalTensor& slopes,
                     const OptionalTensor& table, const OptionalTensor& lengths, bool causal, std::int64_t window, double dropout,
                     std::int64_t seed, std::int64_t offset, std::optional<double> scale, double skip_threshold) {
    const AttentionCall call{q, k, v, slopes, table, lengths, causal, window, dropout, seed, offset, scale_or_default(scale, q)};
    auto [out, lse, first_key_block] = call_forward(call, skip_threshold);
    return {out, lse};
}

Three shapes_only(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const OptionalTensor& slopes, const OptionalTensor& table,
                  const OptionalTensor& lengths, bool causal, std::int64_t window, double dropout, std::int64_t seed, std::int64_t offset,
                  double scale, double skip_threshold) {
    check_call({q, k, v, slopes, table, lengths, causal, window, dropout, seed, offset, scale});
    checked_skip_threshold(skip_threshold);
    return {empty_merged(q), at::empty({q.size(0), q.size(1), q.size(2)}, q.options().dtype(at::kFloat)),
            at::empty({0}, q.options().dtype(at::kInt))};
}

Five backward_shapes_only(const at::Tensor& /*grad*/, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          const at::Tensor& /*out*/, const at::Tensor& /*lse*/, const at::Tensor& /*first_key_block*/,
                          const OptionalTensor& /*slopes*/, const OptionalTensor& table, const OptionalTensor& /*lengths*/, bool /*causal*/,
                          std::int64_t /*window*/, double /*dropout*/, std::int64_t /*seed*/, std::int64_t /*offset*/, double /*scale*/,
                          bool slopes_grad, bool table_grad) {
    const auto floats = q.options().dtype(at::kFloat);
    return {empty_merged(q), empty_merged(k), empty_merged(v),
            at::empty(slopes_grad ? at::IntArrayRef{q.size(0), q.size(1)} : at::IntArrayRef{0}, floats),
            at::empty(table_grad ? table->sizes() : at::IntArrayRef{0}, floats)};
}

at::Tensor visited_shape_only(const at::Tensor& q, const at::Tensor& /*k*/, const OptionalTensor& /*slopes*/, bool /*causal*/,
                              std::int64_t /*window*/, std::optional<double> /*scale*/, double /*skip_threshold*/) {
    return at::empty({q.size(0), q.size(1)}, q.options().dtype(at::kFloat));
}

TORCH_LIBRARY_IMPL(longbow, CPU, m) { m.impl("fused_attention", &without_gradient); }
TORCH_LIBRARY_IMPL(longbow, CUDA, m) { m.impl("fused_attention", &without_gradient); }
TORCH_LIBRARY_IMPL(longbow, Autograd, m) { m.impl("fused_attention", &with_gradient); }
TORCH_LIBRARY_IMPL(longbow, Meta, m) {
    m.impl("fused_attention", &without_gradient);
    m.impl("fused_attention_forward", &shapes_only);
    m.impl("fused_attention_backward", &backward_shapes_only);
    m.impl("visited_fraction", &visited_shape_only);
}

}  // namespace

Two fused_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const OptionalTensor& alibi_slopes,
                    const OptionalTensor& distance_bias, const OptionalTensor& lengths, const FusedAttentionOptions& options) {
    using Signature = Two(const at::Tensor&, const at::Tensor&, const at::Tensor&, const OptionalTensor&, const OptionalTensor&,
                          const OptionalTensor&, bool, std::int64_t, double, std::int64_t, std::int64_t, std::optional<double>, double);
    static const auto op = c10::Dispatcher::singleton().findSchemaOrThrow("longbow::fused_attention", "").typed<Signature>();
    return op.call(q, k, v, alibi_slopes, distance_bias, lengths, options.causal, options.window, options.dropout, options.dropout_seed,
                   options.dropout_offset, options.scale, options.skip_threshold);
}

Three fused_attention_visited(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const OptionalTensor& alibi_slopes,
                              const OptionalTensor& distance_bias, const OptionalTensor& lengths, const FusedAttentionOptions& options) {
    const at::AutoDispatchBelowADInplaceOrView below;
    const AttentionCall call{q,
                             k,
                             v,
                             alibi_slopes,
                             distance_bias,
                             lengths,
                             options.causal,
                             options.window,
                             options.dropout,
                             options.dropout_seed,
                             options.dropout_offset,
                             scale_or_default(options.scale, q)};
    auto [out, lse, first_key_block] = call_forward(call, options.skip_threshold);
    return {out, lse, visited_share(call, first_key_block)};
}

at::Tensor visited_fraction(const at::Tensor& q, const at::Tensor& k, const OptionalTensor& alibi_slopes,
                            const FusedAttentionOptions& options) {
    using Signature =
        at::Tensor(const at::Tensor&, const at::Tensor&, const OptionalTensor&, bool, std::int64_t, std::optional<double>, double);
    static const auto op = c10::Dispatcher::singleton().findSchemaOrThrow("longbow::visited_fraction", "").typed<Signature>();
    return op.call(q, k, alibi_slopes, options.causal, options.window, options.scale, options.skip_threshold);
}

std::string fused_attention_refuses(const std::string& device, std::int64_t head_dim) {
    const auto key = device.rfind("cuda", 0) == 0 ? c10::DispatchKey::CUDA : c10::DispatchKey::CPU;
    static const auto op = c10::Dispatcher::singleton().findSchemaOrThrow("longbow::fused_attention_forward", "");
    if (!op.hasKernelForDispatchKey(key)) {
        return "the fused kernels of this build do not run on " + device;
    }
    if (head_dim % 8 != 0 || head_dim > 256) {
        return "model.dim / model.heads is " + std::to_string(head_dim) + ", and the fused kernels take multiples of 8 up to 256";
    }
    return {};
}

}  // namespace longbow
