// Defines the operators' schemas, their shapes without data (Meta), their derivative, and their C++ functions. The
// computation is in ops_cpu.cpp and ops_cuda.cpp.
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

TORCH_LIBRARY(longbow, m) {
    m.def(
        "fused_attention(Tensor q, Tensor k, Tensor v, Tensor? alibi_slopes=None, Tensor? distance_bias=None, *, Tensor? lengths=None, "
        "bool causal=True, int window=0, float dropout=0.0, int dropout_seed=0, int dropout_offset=0, float? scale=None, "
        "float skip_threshold=-1.0) -> (Tensor out, Tensor lse)");
    m.def(
        "visited_fraction(Tensor q, Tensor k, Tensor? alibi_slopes, *, bool causal=True, int window=0, float? scale=None, "
        "float skip_threshold=-1.0) -> Tensor");
    // The third result is what the derivative needs beside the outputs: the table of blocks that the forward pass
    // visited (empty: all; on CPU it may have entries for groups of rows, ops/device.h).
    m.def(
        "fused_attention_forward(Tensor q, Tensor k, Tensor v, Tensor? alibi_slopes, Tensor? distance_bias, Tensor? lengths, bool causal, "
        "int window, float dropout, int dropout_seed, int dropout_offset, float scale, float skip_threshold) -> (Tensor out, Tensor lse, Tensor first_key_block)");
    // dalibi_slopes [batch, heads] and ddistance_bias are empty if not wanted.
    m.def(
        "fused_attention_backward(Tensor grad, Tensor q, Tensor k, Tensor v, Tensor out, Tensor lse, Tensor first_key_block, "
        "Tensor? alibi_slopes, Tensor? distance_bias, Tensor? lengths, bool causal, int window, float dropout, int dropout_seed, "
        "int dropout_offset, float scale, bool slopes_grad, bool table_grad) -> (Tensor dq, Tensor dk, Tensor dv, Tensor dalibi_slopes, Tensor ddistance_bias)");
}

class FusedAttentionFunction : public torch::autograd::Function<FusedAttentionFunction> {
public:
    // The tensors that may need a gradient are also separate arguments beside the call, since autograd looks for them
    // there.
    static torch::autograd::variable_list forward(torch::autograd::AutogradContext* ctx, const at::Tensor& /*q*/,
                                                  const at::Tensor& /*k*/, const at::Tensor& /*v*/,
                                                  const OptionalTensor& /*slopes*/, const OptionalTensor& /*table*/,
                                                  const FusedAttentionCall& call) {
        const at::AutoDispatchBelowADInplaceOrView below;
        auto [out, lse, first_key_block] = dispatch<ForwardOperator>(call);
        ctx->save_for_backward({call.q, call.k, call.v, out, lse, first_key_block, call.slopes.value_or(at::Tensor()),
                                call.table.value_or(at::Tensor()), call.lengths.value_or(at::Tensor())});
        std::size_t i = 0;
        std::apply([&](const auto&... numbers) { ((ctx->saved_data[number(i++)] = numbers), ...); }, numbers_of(call));
        ctx->saved_data["scale"] = *call.scale;
        ctx->saved_data["slopes_grad"] = wants_gradient(call.slopes);
        ctx->saved_data["table_grad"] = wants_gradient(call.table);
        ctx->mark_non_differentiable({lse});
        return {out, lse};
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                   const torch::autograd::variable_list& grads) {
        constexpr std::size_t kInputs = 6;
        torch::autograd::variable_list result(kInputs);
        if (!grads[0].defined()) {
            return result;
        }
        const at::AutoDispatchBelowADInplaceOrView below;
        BackwardCall call;
        const auto saved = ctx->get_saved_variables();
        std::tie(call.q, call.k, call.v, call.out, call.lse, call.first_key_block) =
            std::tie(saved[0], saved[1], saved[2], saved[3], saved[4], saved[5]);
        const auto optional = [](const at::Tensor& t) { return t.defined() ? OptionalTensor(t) : OptionalTensor(); };
        call.slopes = optional(saved[6]);
        call.table = optional(saved[7]);
        call.lengths = optional(saved[8]);
        std::size_t i = 0;
        std::apply(
            [&](auto&... numbers) {
                ((numbers = ctx->saved_data.at(number(i++)).to<std::decay_t<decltype(numbers)>>()), ...);
            },
            numbers_of(call));
        call.scale = ctx->saved_data.at("scale").toDouble();
        call.grad = grads[0];
        call.slopes_grad = ctx->saved_data.at("slopes_grad").toBool();
        call.table_grad = ctx->saved_data.at("table_grad").toBool();
        auto [dq, dk, dv, dslopes, dtable] = dispatch<BackwardOperator>(call);
        result[0] = dq;
        result[1] = dk;
        result[2] = dv;
        if (call.slopes_grad) {
            result[3] = (call.slopes->dim() == 1 ? dslopes.sum(0) : dslopes).to(call.slopes->scalar_type());
        }
        if (call.table_grad) {
            result[4] = dtable.to(call.table->scalar_type());
        }
        return result;
    }

private:
    // Returns the name of the i-th number of numbers_of(). Each number has an entry of its own, since GCC's
    // array-bounds warning takes a tuple of five for an error in LibTorch.
    static std::string number(std::size_t i) { return "number" + std::to_string(i); }
    static bool wants_gradient(const OptionalTensor& t) { return t && t->requires_grad(); }
};

Two with_gradient(FusedAttentionCall call) {
    call = with_scale(std::move(call));
    const auto outputs = FusedAttentionFunction::apply(call.q, call.k, call.v, call.slopes, call.table, call);
    return {outputs[0], outputs[1]};
}

Two without_gradient(FusedAttentionCall call) {
    auto [out, lse, first_key_block] = dispatch<ForwardOperator>(with_scale(std::move(call)));
    return {out, lse};
}

ForwardResult shapes_only(const FusedAttentionCall& call) {
    check_call(call);
    checked_skip_threshold(call.skip_threshold);
    const auto& q = call.q;
    return {empty_merged(q), at::empty({q.size(0), q.size(1), q.size(2)}, q.options().dtype(at::kFloat)),
            at::empty({0}, q.options().dtype(at::kInt))};
}

BackwardResult backward_shapes_only(const BackwardCall& call) {
    const auto floats = call.q.options().dtype(at::kFloat);
    return {empty_merged(call.q), empty_merged(call.k), empty_merged(call.v),
            at::empty(call.slopes_grad ? at::IntArrayRef{call.q.size(0), call.q.size(1)} : at::IntArrayRef{0}, floats),
            at::empty(call.table_grad ? call.table->sizes() : at::IntArrayRef{0}, floats)};
}

at::Tensor visited_shape_only(const FusedAttentionCall& call) {
    return at::empty({call.q.size(0), call.q.size(1)}, call.q.options().dtype(at::kFloat));
}

TORCH_LIBRARY_IMPL(longbow, CPU, m) { implement<FusedAttentionOperator, &without_gradient>(m); }
TORCH_LIBRARY_IMPL(longbow, CUDA, m) { implement<FusedAttentionOperator, &without_gradient>(m); }
TORCH_LIBRARY_IMPL(longbow, Autograd, m) { implement<FusedAttentionOperator, &with_gradient>(m); }
TORCH_LIBRARY_IMPL(longbow, Meta, m) {
    implement<FusedAttentionOperator, &without_gradient>(m);
    implement<ForwardOperator, &shapes_only>(m);
    implement<BackwardOperator, &backward_shapes_only>(m);
    implement<VisitedOperator, &visited_shape_only>(m);
}

}  // namespace

Two fused_attention(const FusedAttentionCall& call) { return dispatch<FusedAttentionOperator>(call); }

std::tuple<at::Tensor, at::Tensor, at::Tensor> fused_attention_visited(const FusedAttentionCall& call) {
    const at::AutoDispatchBelowADInplaceOrView below;
    auto [out, lse, first_key_block] = dispatch<ForwardOperator>(with_scale(call));
    return {out, lse, visited_share(call, first_key_block)};
}

at::Tensor visited_fraction(const FusedAttentionCall& call) { return dispatch<VisitedOperator>(call); }

std::string fused_attention_refuses(const std::string& device, std::int64_t head_dim) {
    const auto key = device.rfind("cuda", 0) == 0 ? c10::DispatchKey::CUDA : c10::DispatchKey::CPU;
    static const auto op = c10::Dispatcher::singleton().findSchemaOrThrow("longbow::fused_attention_forward", "");
    if (!op.hasKernelForDispatchKey(key)) {
        return "the fused kernels of this build do not run on " + device;
    }
    if (head_dim % 8 != 0 || head_dim > 256) {
        return "a head has " + std::to_string(head_dim) +
               " elements (model.head_dim, or model.dim / model.heads), and the fused kernels take multiples of 8 up to 256";
    }
    return {};
}

}  // namespace longbow
