// The operators on CUDA. LibTorch's CUDA part is loaded at run time and not linked (longbow/core/machine.h): the device and its stream come
// through c10's interfaces alone, which that part fills in.
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/library.h>

#include "attention/kernels/cuda/attention.h"
#include "attention/ops/device.h"

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

using WorkspaceSize = std::size_t (*)(const longbow_attention*);
using Kernel = longbow_status (*)(const longbow_attention*);

void run_kernel(longbow_attention& a, const at::Tensor& like, WorkspaceSize size, Kernel kernel) {
    const auto workspace = bytes(size(&a), like);
    a.workspace = workspace.data_ptr();
    check_status(kernel(&a), like);
}

void skip_table(longbow_attention& a, float threshold, std::int32_t* first, float* /*longest*/, const at::Tensor& like) {
    const auto workspace = bytes(longbow_cuda_skip_table_workspace(&a), like);
    a.workspace = workspace.data_ptr();
    check_status(longbow_cuda_skip_table(&a, threshold, first), like);
}

constexpr AttentionDevice kCuda{
    .boundary = &boundary_on_gpu,
    .readable = &with_aligned_rows,
    .rows = &aligned_rows,
    .skip_table = &skip_table,
    .narrows = false,
    .forward =
        [](longbow_attention& a, const at::Tensor& like) {
            run_kernel(a, like, &longbow_cuda_attention_forward_workspace, &longbow_cuda_attention_forward);
        },
    .backward =
        [](longbow_attention& a, const at::Tensor& like) {
            run_kernel(a, like, &longbow_cuda_attention_backward_workspace, &longbow_cuda_attention_backward);
        },
};

std::tuple<at::Tensor, at::Tensor, at::Tensor> forward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                                       const OptionalTensor& slopes, const OptionalTensor& table,
                                                       const OptionalTensor& lengths, bool causal, std::int64_t window, double dropout,
                                                       std::int64_t seed, std::int64_t offset, double scale, double skip_threshold) {
    const c10::DeviceGuard on_device(q.device());
    return forward_on(kCuda, {q, k, v, slopes, table, lengths, causal, window, dropout, seed, offset, scale}, skip_threshold);
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor> backward(
    const at::Tensor& grad, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& out, const at::Tensor& lse,
    const at::Tensor& first_key_block, const OptionalTensor& slopes, const OptionalTensor& table, const OptionalTensor& lengths,
    bool causal, std::int64_t window, double dropout, std::int64_t seed, std::int64_t offset, double scale, bool slopes_grad,
    bool table_grad) {
    const c10::DeviceGuard on_device(q.device());
    return backward_on(kCuda, {q, k, v, slopes, table, lengths, causal, window, dropout, seed, offset, scale}, grad, out, lse,
                       first_key_block, slopes_grad, table_grad);
}

at::Tensor visited(const at::Tensor& q, const at::Tensor& k, const OptionalTensor& slopes, bool causal, std::int64_t window,
                   std::optional<double> scale, double skip_threshold) {
    const c10::DeviceGuard on_device(q.device());
    const AttentionCall call{q, k, k, slopes, {}, {}, causal, window, 0.0, 0, 0, scale_or_default(scale, q)};
    return visited_share(call, first_key_block_on(kCuda, call, skip_threshold));
}

TORCH_LIBRARY_IMPL(longbow, CUDA, m) {
    m.impl("fused_attention_forward", &forward);
    m.impl("fused_attention_backward", &backward);
    m.impl("visited_fraction", &visited);
}

}  // namespace

}  // namespace longbow
