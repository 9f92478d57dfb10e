#include "emulator/tensor_core_sums.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace emulator {

namespace {

constexpr int kFractionBits = 23;  // of fp32
// A product with a zero must not decide to which exponent the terms are shifted. Twice this is still far from the
// smallest exponent of a double, which the shift by 2^-exponent needs.
constexpr std::int16_t kExponentOfZero = -300;

std::uint32_t bits_of(float x) {
    std::uint32_t y;
    std::memcpy(&y, &x, 4);
    return y;
}

// Numbers below the type's smallest normal number have the exponent of that number.
std::int16_t exponent_of(float x, int smallest) {
    if (x == 0.0f) return kExponentOfZero;
    const int exponent = static_cast<int>(bits_of(x) >> kFractionBits & 255u) - 127;
    return static_cast<std::int16_t>(std::max(exponent, smallest));
}

bool finite(float x) { return (bits_of(x) >> kFractionBits & 255u) != 255u; }

double power_of_two(int exponent) {
    const std::uint64_t bits = static_cast<std::uint64_t>(exponent + 1023) << 52;
    double x;
    std::memcpy(&x, &bits, 8);
    return x;
}

double truncated(double x) { return static_cast<double>(static_cast<std::int32_t>(x)); }

float truncated_to_float(double x) {
    const auto nearest = static_cast<float>(x);
    if (!(std::fabs(static_cast<double>(nearest)) > std::fabs(x)) || std::fabs(x) >= 0x1p128) return nearest;
    const std::uint32_t bits = bits_of(nearest) - 1;
    float y;
    std::memcpy(&y, &bits, 4);
    return y;
}

template <int kDepth>
struct Columns {
    double b[kDepth][8];
    std::int16_t exponent[kDepth][8];
};

template <int kDepth>
void add_group(float (&c)[8], const float (&a)[kDepth], const std::int16_t (&a_exponent)[kDepth],
               const Columns<kDepth>& columns, int begin, int end, int extra_bits) {
    std::int16_t largest[8];
    for (int n = 0; n < 8; ++n) largest[n] = exponent_of(c[n], -126);
    for (int k = begin; k < end; ++k) {
        for (int n = 0; n < 8; ++n) {
            const auto exponent = static_cast<std::int16_t>(a_exponent[k] + columns.exponent[k][n]);
            largest[n] = std::max(largest[n], exponent);
        }
    }
    const int bits = kFractionBits + extra_bits;
    double scale[8], sum[8];
    for (int n = 0; n < 8; ++n) {
        scale[n] = power_of_two(bits - largest[n]);
        // The group before may have overflowed.
        sum[n] = finite(c[n]) ? truncated(static_cast<double>(c[n]) * scale[n]) : 0.0;
    }
    for (int k = begin; k < end; ++k) {
        const double factor = a[k];
        for (int n = 0; n < 8; ++n) sum[n] += truncated(factor * columns.b[k][n] * scale[n]);
    }
    for (int n = 0; n < 8; ++n) {
        if (finite(c[n])) c[n] = truncated_to_float(sum[n] * power_of_two(largest[n] - bits));
    }
}

}  // namespace

template <int kDepth>
void add_products(float (&c)[16][8], const float (&a)[16][kDepth], const float (&b)[kDepth][8], Factors factors,
                  SumModel model) {
    const int smallest = factors == Factors::f16 ? -14 : -126;
    Columns<kDepth> columns;
    bool finite_columns = true;
    for (int k = 0; k < kDepth; ++k) {
        for (int n = 0; n < 8; ++n) {
            columns.b[k][n] = b[k][n];
            columns.exponent[k][n] = exponent_of(b[k][n], smallest);
            finite_columns = finite_columns && finite(b[k][n]);
        }
    }
    for (int row = 0; row < 16; ++row) {
        std::int16_t exponent[kDepth];
        bool all_finite = finite_columns;
        for (int k = 0; k < kDepth; ++k) {
            exponent[k] = exponent_of(a[row][k], smallest);
            all_finite = all_finite && finite(a[row][k]);
        }
        for (int n = 0; n < 8; ++n) all_finite = all_finite && finite(c[row][n]);
        if (all_finite) {
            const int step = kDepth / model.groups;
            for (int begin = 0; begin < kDepth; begin += step)
                add_group(c[row], a[row], exponent, columns, begin, begin + step, model.extra_bits);
        } else {
            // Infinities and NaNs spread as in any other sum. The neighbours in their row are rounded instead of
            // truncated.
            for (int k = 0; k < kDepth; ++k) {
                for (int n = 0; n < 8; ++n) c[row][n] += a[row][k] * b[k][n];
            }
        }
    }
}

template void add_products(float (&)[16][8], const float (&)[16][8], const float (&)[8][8], Factors, SumModel);
template void add_products(float (&)[16][8], const float (&)[16][16], const float (&)[16][8], Factors, SumModel);

}  // namespace emulator
