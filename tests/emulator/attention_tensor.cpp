// Tensors of attention_case.h: numbers of an input type in memory with guards.
#include <algorithm>
#include <cstring>

#include "../../src/attention/kernels/cuda/device.h"
#include "emulator/attention_case.h"

namespace attention_test {

namespace {

constexpr std::size_t kGuard = 256;  // elements before and after a tensor; keeps the 16-byte alignment of new

std::size_t width(longbow_dtype dtype) { return dtype == LONGBOW_F32 ? 4 : 2; }

}  // namespace

Tensor::Tensor(longbow_dtype dtype, int batch, int heads, int length, int head_dim)
    : dtype_(dtype),
      heads_(heads),
      length_(length),
      head_dim_(head_dim),
      count_(static_cast<std::size_t>(batch) * static_cast<std::size_t>(heads) * static_cast<std::size_t>(length) *
             static_cast<std::size_t>(head_dim)),
      storage_((count_ + 2 * kGuard) * width(dtype) / 4 + 1, 0xFFFFFFFFu) {}

std::size_t Tensor::index(int b, int h, int i, int d) const {
    return kGuard +
           static_cast<std::size_t>(((static_cast<std::int64_t>(b) * length_ + i) * heads_ + h) * head_dim_ + d);
}

double Tensor::read(std::size_t at) const {
    const auto* const bytes = reinterpret_cast<const unsigned char*>(storage_.data()) + at * width(dtype_);
    if (dtype_ == LONGBOW_F32) {
        float x;
        std::memcpy(&x, bytes, 4);
        return x;
    }
    std::uint16_t bits;
    std::memcpy(&bits, bytes, 2);
    if (dtype_ == LONGBOW_F16) return longbow::device::f16_to_float(bits);
    return longbow::device::float_of(static_cast<std::uint32_t>(bits) << 16);
}

void Tensor::write(std::size_t at, double value) {
    auto* const bytes = reinterpret_cast<unsigned char*>(storage_.data()) + at * width(dtype_);
    const auto x = static_cast<float>(value);
    if (dtype_ == LONGBOW_F32) {
        std::memcpy(bytes, &x, 4);
        return;
    }
    const auto bits = static_cast<std::uint16_t>(dtype_ == LONGBOW_F16 ? longbow::device::pack_f16(x, 0)
                                                                       : longbow::device::pack_bf16(x, 0));
    std::memcpy(bytes, &bits, 2);
}

void Tensor::poison() { std::fill(storage_.begin(), storage_.end(), 0xFFFFFFFFu); }

longbow_tensor4 Tensor::view() {
    auto* const data = reinterpret_cast<unsigned char*>(storage_.data()) + kGuard * width(dtype_);
    const std::int64_t row = static_cast<std::int64_t>(heads_) * head_dim_;
    return {data, row * length_, head_dim_, row};
}

bool Tensor::guards_whole() const {
    const auto* const bytes = reinterpret_cast<const unsigned char*>(storage_.data());
    const std::size_t begin = kGuard * width(dtype_), end = (kGuard + count_) * width(dtype_);
    for (std::size_t i = 0; i < storage_.size() * 4; ++i) {
        if ((i < begin || i >= end) && bytes[i] != 0xFF) return false;
    }
    return true;
}

}  // namespace attention_test
