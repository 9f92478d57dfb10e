// Defines the operators' schemas, their shapes without data (Meta), their derivative, and their C++ functions. The
// computation is in ops_cpu.cpp and ops_cuda.cpp.
#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <array>
#include <vector>

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
        "float skip_threshold=-1.0, Tensor? query_slopes=None, Tensor? key_slopes=None, Tensor? row=None, Tensor? column=None, Tensor? sink_logit=None, int sinks=0, Tensor? positions=None, bool skip_by_table=False) -> (Tensor out, Tensor lse)");
    m.def(
        "visited_fraction(Tensor q, Tensor k, Tensor? alibi_slopes, *, bool causal=True, int window=0, float? scale=None, "
        "float skip_threshold=-1.0, Tensor? query_slopes=None, Tensor? key_slopes=None, Tensor? row=None, Tensor? column=None, Tensor? sink_logit=None, int sinks=0, Tensor? positions=None, bool skip_by_table=False) -> Tensor");
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
    // The same with parts by place (arguments.h). Their gradients are fp64 and empty if not wanted.
    m.def(
        "fused_attention_parts_forward(Tensor q, Tensor k, Tensor v, Tensor? alibi_slopes, Tensor? distance_bias, Tensor? lengths, bool causal, "
        "int window, float dropout, int dropout_seed, int dropout_offset, float scale, float skip_threshold, Tensor? query_slopes, Tensor? key_slopes, Tensor? row, Tensor? column, Tensor? sink_logit, int sinks, Tensor? positions, bool skip_by_table) -> (Tensor out, Tensor lse, Tensor first_key_block)");
    m.def(
        "fused_attention_parts_backward(Tensor grad, Tensor q, Tensor k, Tensor v, Tensor out, Tensor lse, Tensor first_key_block, "
        "Tensor? alibi_slopes, Tensor? distance_bias, Tensor? lengths, bool causal, int window, float dropout, int dropout_seed, "
        "int dropout_offset, float scale, bool slopes_grad, bool table_grad, Tensor? query_slopes, Tensor? key_slopes, Tensor? row, Tensor? column, Tensor? sink_logit, int sinks, Tensor? positions, bool skip_by_table, bool query_slopes_grad, bool key_slopes_grad, "
        "bool row_grad, bool column_grad, bool sink_logit_grad) -> (Tensor dq, Tensor dk, Tensor dv, Tensor dalibi_slopes, Tensor ddistance_bias, "
        "Tensor dquery_slopes, Tensor dkey_slopes, Tensor drow, Tensor dcolumn, Tensor dsink_logit)");
}

// Returns the result of the operator that serves the call.
ForwardResult forward_result(const FusedAttentionCall& call) {
    return call.has_parts() ? dispatch<PartsForwardOperator>(call) : dispatch<ForwardOperator>(call);
}
PartsBackwardResult backward_result(const BackwardCall& call) {
    if (call.has_parts()) return dispatch<PartsBackwardOperator>(call);
    return std::tuple_cat(dispatch<BackwardOperator>(call),
                          std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor>());
}

// Returns the tensors of a call that may be missing, and may have gradients, in the order of the function's arguments.
template <class Call>
auto optional_tensors(Call& call) {
    return std::array{&call.slopes, &call.table,  &call.query_slopes, &call.key_slopes,
                      &call.row,    &call.column, &call.sink_logit};
}
std::array<bool*, 7> wanted_gradients(BackwardCall& call) {
    return {&call.slopes_grad, &call.table_grad,  &call.query_slopes_grad, &call.key_slopes_grad,
            &call.row_grad,    &call.column_grad, &call.sink_logit_grad};
}

class FusedAttentionFunction : public torch::autograd::Function<FusedAttentionFunction> {
public:
    // The tensors that may need a gradient are also separate arguments before the call, since autograd looks for them
    // there.
    static torch::autograd::variable_list forward(
        torch::autograd::AutogradContext* ctx, const at::Tensor& /*q*/, const at::Tensor& /*k*/,
        const at::Tensor& /*v*/, const OptionalTensor& /*slopes*/, const OptionalTensor& /*table*/,
        const OptionalTensor& /*query_slopes*/, const OptionalTensor& /*key_slopes*/, const OptionalTensor& /*row*/,
        const OptionalTensor& /*column*/, const OptionalTensor& /*sink_logit*/, const FusedAttentionCall& call) {
        const at::AutoDispatchBelowADInplaceOrView below;
        auto [out, lse, first_key_block] = forward_result(call);
        std::vector<at::Tensor> saved = {call.q,
                                         call.k,
                                         call.v,
                                         out,
                                         lse,
                                         first_key_block,
                                         call.lengths.value_or(at::Tensor()),
                                         call.positions.value_or(at::Tensor())};
        std::vector<std::int64_t> wanted;
        for (const auto* tensor : optional_tensors(call)) {
            saved.push_back(tensor->value_or(at::Tensor()));
            wanted.push_back(*tensor && (*tensor)->requires_grad() ? 1 : 0);
        }
        ctx->save_for_backward(std::move(saved));
        std::size_t i = 0;
        std::apply([&](const auto&... numbers) { ((ctx->saved_data[number(i++)] = numbers), ...); }, numbers_of(call));
        ctx->saved_data["scale"] = *call.scale;
        ctx->saved_data["sinks"] = call.sinks;
        ctx->saved_data["skip_by_table"] = call.skip_by_table;
        ctx->saved_data["wanted"] = wanted;
        ctx->mark_non_differentiable({lse});
        return {out, lse};
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                   const torch::autograd::variable_list& grads) {
        constexpr std::size_t kInputs = 11;
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
        call.lengths = optional(saved[6]);
        call.positions = optional(saved[7]);
        std::size_t i = 0;
        std::apply(
            [&](auto&... numbers) {
                ((numbers = ctx->saved_data.at(number(i++)).to<std::decay_t<decltype(numbers)>>()), ...);
            },
            numbers_of(call));
        call.scale = ctx->saved_data.at("scale").toDouble();
        call.sinks = ctx->saved_data.at("sinks").toInt();
        call.skip_by_table = ctx->saved_data.at("skip_by_table").toBool();
        call.grad = grads[0];
        const auto wanted = ctx->saved_data.at("wanted").toIntVector();
        const auto tensors = optional_tensors(call);
        const auto flags = wanted_gradients(call);
        for (std::size_t part = 0; part < tensors.size(); ++part) {
            *tensors[part] = optional(saved[8 + part]);
            *flags[part] = wanted[part] != 0;
        }
        auto [dq, dk, dv, dslopes, dtable, dquery_slopes, dkey_slopes, drow, dcolumn, dsink] = backward_result(call);
        result[0] = dq;
        result[1] = dk;
        result[2] = dv;
        const std::array gradients = {dslopes, dtable, dquery_slopes, dkey_slopes, drow, dcolumn, dsink};
        for (std::size_t part = 0; part < tensors.size(); ++part) {
            if (*flags[part]) result[3 + part] = shaped_like(**tensors[part], gradients[part]);
        }
        return result;
    }

private:
    // Returns the name of the i-th number of numbers_of(). Each number has an entry of its own, since GCC's
    // array-bounds warning takes a tuple of five for an error in LibTorch.
    static std::string number(std::size_t i) { return "number" + std::to_string(i); }
    // Sums a gradient over the batch where its elements share the tensor.
    static at::Tensor shaped_like(const at::Tensor& tensor, const at::Tensor& gradient) {
        if (tensor.dim() < gradient.dim()) return gradient.sum(0).to(tensor.scalar_type());
        const bool shared = tensor.dim() == 3 && tensor.size(0) < gradient.size(0);
        return (shared ? gradient.sum(0, true) : gradient).to(tensor.scalar_type());
    }
};

Two with_gradient(FusedAttentionCall call) {
    call = with_scale(std::move(call));
    const auto outputs =
        FusedAttentionFunction::apply(call.q, call.k, call.v, call.slopes, call.table, call.query_slopes,
                                      call.key_slopes, call.row, call.column, call.sink_logit, call);
    return {outputs[0], outputs[1]};
}

Two without_gradient(FusedAttentionCall call) {
    auto [out, lse, first_key_block] = forward_result(with_scale(std::move(call)));
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

PartsBackwardResult parts_backward_shapes_only(const BackwardCall& call) {
    const auto& q = call.q;
    const auto places = [&](bool wanted, std::int64_t length) {
        return at::empty(wanted ? at::IntArrayRef{q.size(0), q.size(1), length} : at::IntArrayRef{0},
                         q.options().dtype(at::kDouble));
    };
    return std::tuple_cat(
        backward_shapes_only(call),
        std::tuple(places(call.query_slopes_grad, q.size(2)), places(call.key_slopes_grad, call.k.size(2)),
                   places(call.row_grad, q.size(2)), places(call.column_grad, call.k.size(2)),
                   at::empty({call.sink_logit_grad ? q.size(1) : 0}, q.options().dtype(at::kDouble))));
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
    implement<PartsForwardOperator, &shapes_only>(m);
    implement<PartsBackwardOperator, &parts_backward_shapes_only>(m);
    implement<VisitedOperator, &visited_shape_only>(m);
}

}  // namespace

Two fused_attention(const FusedAttentionCall& call) { return dispatch<FusedAttentionOperator>(call); }

std::tuple<at::Tensor, at::Tensor, at::Tensor> fused_attention_visited(const FusedAttentionCall& call) {
    const at::AutoDispatchBelowADInplaceOrView below;
    auto [out, lse, first_key_block] = forward_result(with_scale(call));
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
