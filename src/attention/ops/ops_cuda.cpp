// The operators on CUDA. LibTorch's CUDA part is loaded at run time and not linked (longbow/core/machine.h): the device and its stream come
// through c10's interfaces alone, which that part fills in.
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/library.h>

#include <cmath>

#include "attention/kernels/cpu/attention_cpu.h"
#include "attention/kernels/cuda/attention.h"
#include "attention/kernels/skip_table.h"
#include "attention/ops/call.h"

namespace longbow {

namespace {

using OptionalTensor = std::optional<at::Tensor>;

void* current_stream(const at::Tensor& t) { return c10::impl::VirtualGuardImpl(t.device().type()).getStream(t.device()).native_handle(); }

at::Tensor bytes(std::size_t count, const at::Tensor& like) {
    return at::empty({static_cast<std::int64_t>(count)}, like.options().dtype(at::kByte));
}

// The kernels copy 16 bytes at a time: rows and matrices must start at multiples of that.
at::Tensor with_aligned_rows(const at::Tensor& t) {
    const auto whole = [&](std::int64_t dim) { return t.size(dim) <= 1 || t.stride(dim) * t.element_size() % 16 == 0; };
    const bool aligned =
        reinterpret_cast<std::uintptr_t>(t.const_data_ptr()) % 16 == 0 && whole(0) && whole(1) && whole(2) && t.stride(3) == 1;
    return aligned || t.numel() == 0 ? t : t.clone(at::MemoryFormat::Contiguous);
}

// Strides of dimensions that have one element may be anything: 0 serves and is aligned.
longbow_tensor4 aligned_rows(const at::Tensor& t) {
    const auto stride = [&](std::int64_t dim) { return t.size(dim) <= 1 ? std::int64_t{0} : t.stride(dim); };
    return {t.data_ptr(), stride(0), stride(1), stride(2)};
}

void align(AttentionCall& call) {
    call.q = with_aligned_rows(call.q);
    call.k = with_aligned_rows(call.k);
    call.v = with_aligned_rows(call.v);
}

longbow_attention boundary_on_gpu(AttentionCall& call) {
    align(call);
    auto a = boundary_of(call);
    a.q = aligned_rows(call.q);
    a.k = aligned_rows(call.k);
    a.v = aligned_rows(call.v);
    a.stream = current_stream(call.q);
    return a;
}

void check_status(longbow_status status, const at::Tensor& q) {
    TORCH_CHECK(status != LONGBOW_UNSUPPORTED, "fused_attention: no CUDA kernel for q ", q.sizes());
    TORCH_CHECK(status == LONGBOW_OK, "fused_attention: a CUDA kernel could not be started on ", q.device(),
                "; compute capability 8.0 or later and a driver for this CUDA are needed (longbow doctor says what there is)");
}

const std::int32_t* table_or_null(const at::Tensor& table) { return table.numel() == 0 ? nullptr : table.const_data_ptr<std::int32_t>(); }

// [batch, heads, blocks of queries], or empty where nothing can be skipped.
at::Tensor skip_table(longbow_attention a, double threshold, const at::Tensor& q) {
    const auto ints = q.options().dtype(at::kInt);
    if (!longbow_skip_table_helps(&a, static_cast<float>(threshold))) {
        return at::empty({0}, ints);
    }
    constexpr std::int64_t kBlock = 64;
    auto table = at::empty({a.batch, a.heads, (a.query_length + kBlock - 1) / kBlock}, ints);
    const auto workspace = bytes(longbow_cuda_skip_table_workspace(&a), q);
    a.workspace = workspace.data_ptr();
    check_status(longbow_cuda_skip_table(&a, static_cast<float>(threshold), table.mutable_data_ptr<std::int32_t>()), q);
    return table;
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> forward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                                       const OptionalTensor& slopes, const OptionalTensor& table,
                                                       const OptionalTensor& lengths, bool causal, std::int64_t window, double dropout,
                                                       std::int64_t seed, std::int64_t offset, double scale, double skip_threshold) {
    AttentionCall call{q, k, v, slopes, table, lengths, causal, window, dropout, seed, offset, scale};
    check_call(call);
    const c10::DeviceGuard on_device(q.device());
    const double threshold = checked_skip_threshold(skip_threshold);
    auto a = boundary_on_gpu(call);
    auto out = empty_merged(q);
    auto lse = at::empty({q.size(0), q.size(1), q.size(2)}, q.options().dtype(at::kFloat));
    const auto first_key_block = skip_table(a, threshold, q);
    if (q.numel() > 0) {
        a.out = aligned_rows(out);
        a.lse = lse.mutable_data_ptr<float>();
        a.first_key_block = table_or_null(first_key_block);
        const auto workspace = bytes(longbow_cuda_attention_forward_workspace(&a), q);
        a.workspace = workspace.data_ptr();
        check_status(longbow_cuda_attention_forward(&a), q);
    }
    return {out, lse, first_key_block};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor> backward(
    const at::Tensor& grad, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& out, const at::Tensor& lse,
    const at::Tensor& first_key_block, const OptionalTensor& slopes, const OptionalTensor& table, const OptionalTensor& lengths,
    bool causal, std::int64_t window, double dropout, std::int64_t seed, std::int64_t offset, double scale, bool slopes_grad,
    bool table_grad) {
    AttentionCall call{q, k, v, slopes, table, lengths, causal, window, dropout, seed, offset, scale};
    check_call(call);
    TORCH_CHECK_VALUE(grad.sizes() == q.sizes() && out.sizes() == q.sizes(), "fused_attention_backward: grad ", grad.sizes(), " and out ",
                      out.sizes(), " must be as q ", q.sizes());
    const c10::DeviceGuard on_device(q.device());
    const auto [dq, dk, dv] = empty_gradients(call);
    auto a = boundary_on_gpu(call);
    const auto floats = q.options().dtype(at::kFloat);
    auto dslopes = at::empty(slopes_grad ? at::IntArrayRef{q.size(0), q.size(1)} : at::IntArrayRef{0}, floats);
    auto dtable = at::empty(table_grad ? table->sizes() : at::IntArrayRef{0}, floats);
    const auto dout = with_aligned_rows(grad.to(q.scalar_type()));
    const auto aligned_out = with_aligned_rows(out);
    const auto whole_lse = lse.contiguous();
    a.out = aligned_rows(aligned_out);
    a.lse = whole_lse.data_ptr<float>();
    a.first_key_block = table_or_null(first_key_block);
    a.dout = aligned_rows(dout);
    a.dq = aligned_rows(dq);
    a.dk = aligned_rows(dk);
    a.dv = aligned_rows(dv);
    a.dslopes = slopes_grad ? dslopes.mutable_data_ptr<float>() : nullptr;
    a.dtable = table_grad ? dtable.mutable_data_ptr<float>() : nullptr;
    const auto workspace = bytes(longbow_cuda_attention_backward_workspace(&a), q);
    a.workspace = workspace.data_ptr();
    check_status(longbow_cuda_attention_backward(&a), q);
    return {dq, dk, dv, dslopes, dtable};
}

// The table is small: it is counted on the CPU.
at::Tensor visited(const at::Tensor& q, const at::Tensor& k, const OptionalTensor& slopes, bool causal, std::int64_t window,
                   std::optional<double> scale, double skip_threshold) {
    const double factor = scale.value_or(1.0 / std::sqrt(static_cast<double>(q.size(-1))));
    AttentionCall call{q, k, k, slopes, {}, {}, causal, window, 0.0, 0, 0, factor};
    check_call(call);
    const c10::DeviceGuard on_device(q.device());
    auto a = boundary_on_gpu(call);
    const auto table = skip_table(a, checked_skip_threshold(skip_threshold), q).to(at::kCPU);
    a.first_key_block = table_or_null(table);
    auto fraction = at::ones({q.size(0), q.size(1)}, at::kFloat);
    if (a.first_key_block != nullptr) {
        longbow_attention_cpu_visited(&a, fraction.mutable_data_ptr<float>());
    }
    return fraction.to(q.device());
}

TORCH_LIBRARY_IMPL(longbow, CUDA, m) {
    m.impl("fused_attention_forward", &forward);
    m.impl("fused_attention_backward", &backward);
    m.impl("visited_fraction", &visited);
}

}  // namespace

}  // namespace longbow
