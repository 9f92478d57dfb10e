// Computes out . dout of a query more exactly than one fp32 number holds it.
#pragma once

#include "pack.h"

namespace longbow::cpu {
namespace {

// out . dout of a query, as the sum of two fp32 numbers. One number would round by an amount that depends on the last
// bits of `out`, which would show in the gradients of everything that the query sees.
struct TwoFloats {
    float high, low;
};

// Sums in fp64, where the product of two fp32 numbers is exact; n is a multiple of 8.
inline TwoFloats exact_dot(const float* a, const float* b, int n) {
    using Floats [[gnu::vector_size(32)]] = float;
    using Doubles [[gnu::vector_size(64)]] = double;
    Doubles sums{};
    for (int d = 0; d < n; d += 8) {
        Floats x, y;
        __builtin_memcpy(&x, a + d, sizeof x);
        __builtin_memcpy(&y, b + d, sizeof y);
        sums += __builtin_convertvector(x, Doubles) * __builtin_convertvector(y, Doubles);
    }
    const double sum = ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
    const auto high = static_cast<float>(sum);
    return {high, static_cast<float>(sum - static_cast<double>(high))};
}
// For 16-bit types, fp32 suffices: `out` itself is not more exact.
template <class Narrow>
TwoFloats exact_dot(const Narrow* a, const Narrow* b, int n) {
    constexpr int kWidth = Simd::kWidth;
    Simd::Vec sum = Simd::zero();
    for (int d = 0; d < n; d += kWidth) {
        const int count = min_of(kWidth, n - d);
        sum = Simd::fma(load_wide(a + d, count), load_wide(b + d, count), sum);
    }
    return {Simd::sum(sum), 0.0f};
}

}  // namespace
}  // namespace longbow::cpu
