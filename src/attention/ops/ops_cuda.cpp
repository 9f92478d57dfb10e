// Implements the operators on CUDA. LibTorch's CUDA library is loaded at run time and not linked
// (longbow/core/machine.h), so the device and its stream are reached only through c10's interfaces, which that library
// implements.
#include <ATen/core/Tensor.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/library.h>

#include <string>

#include "attention/ops/call.h"
#include "attention/ops/device.h"
#include "longbow/core/cuda_failure.h"

namespace longbow {

namespace {

void* current_stream(const at::Tensor& t) {
    return c10::impl::VirtualGuardImpl(t.device().type()).getStream(t.device()).native_handle();
}

// The kernels copy 16 bytes at a time, so rows and matrices must start at multiples of 16 bytes.
at::Tensor with_aligned_rows(const at::Tensor& t) {
    const auto whole = [&](std::int64_t dim) { return t.size(dim) <= 1 || t.stride(dim) * t.element_size() % 16 == 0; };
    const bool aligned = reinterpret_cast<std::uintptr_t>(t.const_data_ptr()) % 16 == 0 && whole(0) && whole(1) &&
                         whole(2) && t.stride(3) == 1;
    return aligned || t.numel() == 0 ? t : t.clone(at::MemoryFormat::Contiguous);
}

// The stride of a dimension with one element may be anything; 0 is valid and aligned.
longbow_tensor4 aligned_rows(const at::Tensor& t) {
    const auto stride = [&](std::int64_t dim) { return t.size(dim) <= 1 ? std::int64_t{0} : t.stride(dim); };
    return {t.data_ptr(), stride(0), stride(1), stride(2)};
}

longbow_attention boundary_on_gpu(FusedAttentionCall& call) {
    call.q = with_aligned_rows(call.q);
    call.k = with_aligned_rows(call.k);
    call.v = with_aligned_rows(call.v);
    auto a = boundary_of(call);
    a.q = aligned_rows(call.q);
    a.k = aligned_rows(call.k);
    a.v = aligned_rows(call.v);
    a.stream = current_stream(call.q);
    return a;
}

std::string last_failure() {
    const longbow_failure& failure = *longbow_attention_cuda_failure();
    return std::string(failure.kernel) +
           (failure.earlier != 0 ? " was not started, because an earlier call had failed: "
                                 : " could not be started: ") +
           cuda_failure(failure.error, failure.name, failure.text) + " (longbow doctor tests the GPU)";
}

constexpr AttentionDevice kCuda{
    .name = "CUDA",
    .failure = &last_failure,
    .narrows = false,
    .adds_sink_logit = false,
    .skips_by_table = false,
    .boundary = &boundary_on_gpu,
    .readable = &with_aligned_rows,
    .rows = &aligned_rows,
    .forward_workspace = &longbow_attention_cuda_forward_workspace,
    .backward_workspace = &longbow_attention_cuda_backward_workspace,
    .skip_table_workspace = &longbow_attention_cuda_skip_table_workspace,
    .forward = &longbow_attention_cuda_forward,
    .backward = &longbow_attention_cuda_backward,
    .skip_table = &longbow_attention_cuda_skip_table,
};

TORCH_LIBRARY_IMPL(longbow, CUDA, m) { implement_on<kCuda>(m); }

}  // namespace

}  // namespace longbow
