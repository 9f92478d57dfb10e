// The operators that make tensors of the pretend device or change what a tensor's storage is.
#include <ATen/EmptyTensor.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/as_strided_cpu_dispatch.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <torch/library.h>

#include <cstring>

#include "device_memory.h"
#include "tensors.h"

namespace pretend {

namespace {

at::ScalarType type_or_default(std::optional<at::ScalarType> type) {
    return type.value_or(at::typeMetaToScalarType(c10::get_default_dtype()));
}

at::Tensor empty(c10::SymIntArrayRef sizes, std::optional<at::ScalarType> type, std::optional<at::Layout> /*layout*/,
                 std::optional<at::Device> device, std::optional<bool> /*pinned*/,
                 std::optional<at::MemoryFormat> format) {
    const OnDevice there(device);
    return at::detail::empty_generic(C10_AS_INTARRAYREF_SLOW(sizes), c10::cuda::CUDACachingAllocator::get(),
                                     c10::DispatchKeySet(c10::DispatchKey::CUDA), type_or_default(type), format);
}

at::Tensor empty_strided(c10::SymIntArrayRef sizes, c10::SymIntArrayRef strides, std::optional<at::ScalarType> type,
                         std::optional<at::Layout> /*layout*/, std::optional<at::Device> device,
                         std::optional<bool> /*pinned*/) {
    const OnDevice there(device);
    return empty_on_device(C10_AS_INTARRAYREF_SLOW(sizes), C10_AS_INTARRAYREF_SLOW(strides), type_or_default(type));
}

at::Tensor as_strided(const at::Tensor& self, c10::SymIntArrayRef sizes, c10::SymIntArrayRef strides,
                      std::optional<c10::SymInt> offset) {
    return at::cpu::as_strided_symint(self, sizes, strides, offset);  // touches no memory
}

const at::Tensor& resize_(const at::Tensor& self, c10::SymIntArrayRef size,
                          std::optional<at::MemoryFormat> /*format*/) {
    const auto sizes = C10_AS_INTARRAYREF_SLOW(size);
    const auto elements = c10::multiply_integers(sizes) + self.storage_offset();
    const auto need = static_cast<std::size_t>(elements * self.element_size());
    const auto& storage = self.storage();
    if (storage.nbytes() < need) {
        const OnDevice there(self.device());
        auto data = c10::cuda::CUDACachingAllocator::get()->allocate(need);
        const auto& memory = DeviceMemory::instance();
        if (storage.data() != nullptr)
            std::memcpy(memory.twin(data.get()), memory.twin(storage.data()), storage.nbytes());
        storage.set_data_ptr_noswap(std::move(data));
        storage.set_nbytes(need);
    }
    self.unsafeGetTensorImpl()->set_sizes_contiguous(sizes);
    return self;
}

at::Tensor& set_source(at::Tensor& self, at::Storage source, c10::SymInt offset, c10::SymIntArrayRef size,
                       c10::SymIntArrayRef stride) {
    self.unsafeGetTensorImpl()->set_storage_keep_dtype(std::move(source));
    self.unsafeGetTensorImpl()->set_sizes_and_strides(C10_AS_INTARRAYREF_SLOW(size), C10_AS_INTARRAYREF_SLOW(stride),
                                                      offset.guard_int(__FILE__, __LINE__));
    return self;
}

}  // namespace

TORCH_LIBRARY_IMPL(aten, CUDA, m) {
    m.impl("empty.memory_format", &empty);
    m.impl("empty_strided", &empty_strided);
    m.impl("as_strided", &as_strided);
    m.impl("resize_", &resize_);
    m.impl("set_.source_Storage_storage_offset", &set_source);
}

}  // namespace pretend
