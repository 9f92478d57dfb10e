#include "attention/ops/device.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>

#include "attention/kernels/cpu/attention_cpu.h"
#include "attention/kernels/skip_table.h"

namespace longbow {

namespace {

// [batch, heads, blocks of queries], or empty where nothing can be skipped.
at::Tensor skip_table(const AttentionDevice& device, longbow_attention a, double threshold, const at::Tensor& q) {
    const auto ints = q.options().dtype(at::kInt);
    if (!longbow_skip_table_helps(&a, static_cast<float>(threshold))) {
        return at::empty({0}, ints);
    }
    constexpr std::int64_t kBlock = 64;
    auto table = at::empty({a.batch, a.heads, (a.query_length + kBlock - 1) / kBlock}, ints);
    device.skip_table(a, static_cast<float>(threshold), table.mutable_data_ptr<std::int32_t>(), q);
    return table;
}

const std::int32_t* table_or_null(const at::Tensor& table) { return table.numel() == 0 ? nullptr : table.const_data_ptr<std::int32_t>(); }

}  // namespace

std::tuple<at::Tensor, at::Tensor, at::Tensor> forward_on(const AttentionDevice& device, AttentionCall call, double skip_threshold) {
    check_call(call);
    const double threshold = checked_skip_threshold(skip_threshold);
    auto a = device.boundary(call);
    const auto& q = call.q;
    auto out = empty_merged(q);
    auto lse = at::empty({q.size(0), q.size(1), q.size(2)}, q.options().dtype(at::kFloat));
    const auto first_key_block = skip_table(device, a, threshold, q);
    if (q.numel() > 0) {
        a.out = device.rows(out);
        a.lse = lse.mutable_data_ptr<float>();
        a.first_key_block = table_or_null(first_key_block);
        device.forward(a, q);
    }
    return {out, lse, first_key_block};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor> backward_on(const AttentionDevice& device, AttentionCall call,
                                                                                   const at::Tensor& grad, const at::Tensor& out,
                                                                                   const at::Tensor& lse, const at::Tensor& first_key_block,
                                                                                   bool slopes_grad, bool table_grad) {
    check_call(call);
    TORCH_CHECK_VALUE(grad.sizes() == call.q.sizes() && out.sizes() == call.q.sizes(), "fused_attention_backward: grad ", grad.sizes(),
                      " and out ", out.sizes(), " must be as q ", call.q.sizes());
    const auto [dq, dk, dv] = empty_gradients(call);  // before q, k, v may become copies, which would hide that they are one buffer
    auto a = device.boundary(call);
    const auto& q = call.q;
    const auto floats = q.options().dtype(at::kFloat);
    auto dslopes = at::empty(slopes_grad ? at::IntArrayRef{q.size(0), q.size(1)} : at::IntArrayRef{0}, floats);
    auto dtable = at::empty(table_grad ? call.table->sizes() : at::IntArrayRef{0}, floats);
    // Each copy lives until the kernels have been started.
    const auto dout = device.readable(grad.to(q.scalar_type()));
    const auto readable_out = device.readable(out);
    const auto whole_lse = lse.contiguous();
    a.out = device.rows(readable_out);
    a.lse = whole_lse.data_ptr<float>();
    a.first_key_block = table_or_null(first_key_block);
    a.dout = device.rows(dout);
    a.dq = device.rows(dq);
    a.dk = device.rows(dk);
    a.dv = device.rows(dv);
    a.dslopes = slopes_grad ? dslopes.mutable_data_ptr<float>() : nullptr;
    a.dtable = table_grad ? dtable.mutable_data_ptr<float>() : nullptr;
    device.backward(a, q);
    return {dq, dk, dv, dslopes, dtable};
}

// The table is small: it is counted on the CPU.
at::Tensor visited_on(const AttentionDevice& device, AttentionCall call, double skip_threshold) {
    check_call(call);
    auto a = device.boundary(call);
    const auto table = skip_table(device, a, checked_skip_threshold(skip_threshold), call.q).to(at::kCPU);
    a.first_key_block = table_or_null(table);
    auto fraction = at::ones({call.q.size(0), call.q.size(1)}, at::kFloat);
    if (a.first_key_block != nullptr) {
        longbow_attention_cpu_visited(&a, fraction.mutable_data_ptr<float>());
    }
    return fraction.to(call.q.device());
}

}  // namespace longbow
