#include "tensors.h"

#include <ATen/EmptyTensor.h>
#include <c10/core/CPUAllocator.h>
#include <c10/cuda/CUDACachingAllocator.h>

#include "device_memory.h"

namespace pretend {

namespace {

// An empty storage may be resized, as an operator with out= does. Others are views of the device's.
c10::Storage twin_of(const c10::Storage& storage) {
    if (storage.nbytes() == 0 || storage.data() == nullptr)
        return {c10::Storage::use_byte_size_t(), 0, c10::GetCPUAllocator(), /*resizable=*/true};
    auto* const keep = new c10::Storage(storage);
    c10::DataPtr data(
        DeviceMemory::instance().twin(storage.data()), keep,
        [](void* kept) { delete static_cast<c10::Storage*>(kept); }, c10::Device(c10::kCPU));
    return {c10::Storage::use_byte_size_t(), storage.nbytes(), std::move(data), nullptr, /*resizable=*/false};
}

}  // namespace

at::Tensor twin(const at::Tensor& t) {
    if (!t.defined() || !t.is_cuda()) return t;
    auto out = at::detail::make_tensor<c10::TensorImpl>(twin_of(t.storage()),
                                                        c10::DispatchKeySet(c10::DispatchKey::CPU), t.dtype());
    auto* const impl = out.unsafeGetTensorImpl();
    impl->set_sizes_and_strides(t.sizes(), t.strides(), t.storage_offset());
    if (t.is_conj()) impl->_set_conj(true);
    if (t.unsafeGetTensorImpl()->is_wrapped_number()) impl->set_wrapped_number(true);
    return out;
}

at::Tensor empty_on_device(at::IntArrayRef sizes, at::IntArrayRef strides, at::ScalarType type) {
    return at::detail::empty_strided_generic(sizes, strides, c10::cuda::CUDACachingAllocator::get(),
                                             c10::DispatchKeySet(c10::DispatchKey::CUDA), type);
}

at::Tensor on_device(const at::Tensor& values) {
    auto out = empty_on_device(values.sizes(), values.strides(), values.scalar_type());
    if (values.numel() > 0) twin(out).copy_(values);
    return out;
}

}  // namespace pretend
