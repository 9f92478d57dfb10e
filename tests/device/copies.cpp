// Copies between the host and the device, as PyTorch makes them (aten/src/ATen/native/cuda/Copy.cu, 2.11): through a
// temporary where type or layout differ, in the background only from and to pinned memory.
#include <ATen/core/Tensor.h>
#include <ATen/ops/_local_scalar_dense_cpu_dispatch.h>
#include <ATen/ops/empty_like.h>
#include <torch/library.h>

#include "pinned_memory.h"
#include "tensors.h"
#include "waits.h"

namespace pretend {

namespace {

// Both tensors are of one type and layout.
void copy_bytes(const at::Tensor& to, const at::Tensor& from, bool non_blocking) {
    const bool up = to.is_cuda();
    const auto& host = up ? from : to;
    const bool pinned = PinnedMemory::instance().holds(host.const_data_ptr());
    const auto name = std::string(up ? "copy to the device" : "copy to the host") + (pinned ? "" : ", pageable");
    if (!non_blocking || (!pinned && !up)) {
        waited(name);
    } else if (!pinned) {
        staged(name);
    } else if (up) {
        queue_upload(from.const_data_ptr(), from.nbytes(), from.storage().data());
    } else {
        queue_download(to.mutable_data_ptr(), twin(from).const_data_ptr(), to.nbytes(), to.storage().data());
        return;
    }
    twin(to).copy_(twin(from));
}

bool needs_temporary(const at::Tensor& to, const at::Tensor& from) {
    const bool same_layout = to.sizes() == from.sizes() && to.is_non_overlapping_and_dense() &&
                             (to.strides() == from.strides() || (to.is_contiguous() && from.is_contiguous()));
    return to.scalar_type() != from.scalar_type() || !same_layout || to.is_conj() != from.is_conj();
}

at::Tensor& copy_(at::Tensor& to, const at::Tensor& from, bool non_blocking) {
    if (to.numel() == 0) return to;
    if (to.is_cuda() == from.is_cuda()) {
        const PlainWork plain;
        twin(to).copy_(twin(from));
        return to;
    }
    if (!needs_temporary(to, from)) {
        const PlainWork plain;
        copy_bytes(to, from, non_blocking);
        return to;
    }
    // A copy in the background converts on the device, another one on the host.
    auto target = to, source = from;
    if (from.is_cuda() == non_blocking) {
        if (!to.is_contiguous()) target = at::empty_like(to, at::MemoryFormat::Contiguous);
        source = from.to(to.scalar_type()).expand_as(to).contiguous();
    } else {
        if (!to.is_contiguous() || to.scalar_type() != from.scalar_type())
            target = at::empty_like(to, to.options().dtype(from.scalar_type()), at::MemoryFormat::Contiguous);
        source = from.expand_as(to).contiguous();
    }
    target.copy_(source.resolve_conj(), non_blocking);
    if (!target.is_same(to)) to.copy_(target, non_blocking);
    return to;
}

// CPU kernels hand a copy from their device to another one over by this operator.
at::Tensor copy_from(const at::Tensor& from, const at::Tensor& to, bool non_blocking) {
    at::Tensor target = to;
    copy_(target, from, non_blocking);
    return to;
}

at::Scalar local_scalar(const at::Tensor& t) {
    waited("item()");
    const PlainWork plain;
    return at::cpu::_local_scalar_dense(twin(t));
}

}  // namespace

TORCH_LIBRARY_IMPL(aten, CUDA, m) {
    m.impl("copy_", &copy_);
    m.impl("_copy_from", &copy_from);
    m.impl("_local_scalar_dense", &local_scalar);
}

}  // namespace pretend
