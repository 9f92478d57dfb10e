#include "longbow/foreign/placed_tensor.h"

#include <cstring>

namespace longbow {

namespace {

// Copies a view in row-major order. Rows of the last dimension that are contiguous are copied whole.
void copy_view(const std::byte* source, const PlacedTensor& view, std::size_t dimension, std::size_t element,
               std::byte*& target) {
    const auto count = static_cast<std::size_t>(view.sizes[dimension]);
    const auto stride = static_cast<std::size_t>(view.strides[dimension]) * element;
    if (dimension + 1 < view.sizes.size()) {
        for (std::size_t i = 0; i < count; ++i) copy_view(source + i * stride, view, dimension + 1, element, target);
    } else if (stride == element) {
        std::memcpy(target, source, count * element);
        target += count * element;
    } else {
        for (std::size_t i = 0; i < count; ++i, target += element) std::memcpy(target, source + i * stride, element);
    }
}

}  // namespace

bool PlacedTensor::contiguous() const {
    std::int64_t expected = 1;
    for (std::size_t i = sizes.size(); i-- > 0;) {
        if (sizes[i] != 1 && strides[i] != expected) return false;
        expected *= sizes[i];
    }
    return true;
}

StoredBytes PlacedTensor::read() const {
    const auto whole = tensor.read();
    const std::size_t element = size_of(tensor.dtype);
    std::size_t count = 1;
    for (const auto size : sizes) count *= static_cast<std::size_t>(size);
    const std::size_t begin = static_cast<std::size_t>(offset) * element;
    if (count == 0) return {};
    if (contiguous()) return {whole.bytes.subspan(begin, count * element), whole.keeper};
    const auto copy = std::make_shared<std::vector<std::byte>>(count * element);
    std::byte* target = copy->data();
    copy_view(whole.bytes.data() + begin, *this, 0, element, target);
    return {*copy, copy};
}

}  // namespace longbow
