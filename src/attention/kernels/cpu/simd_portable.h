// Defines Simd with four floats per register by the compiler's own vector type: SSE2, NEON, or whatever the target has.
// simd_avx512.h says what the functions do.
#pragma once

#include <cstdint>

namespace longbow::cpu {
namespace {

struct Simd {
    using Vec = float __attribute__((vector_size(16)));
    using Bits = std::uint32_t __attribute__((vector_size(16)));
    static constexpr int kWidth = 4;
    static constexpr int kColumns = 2;
    static constexpr int kInterleaved = 1;

    static Vec zero() { return Vec{}; }
    static Vec set(float x) { return Vec{x, x, x, x}; }
    static Vec load(const float* p) {
        Vec v;
        __builtin_memcpy(&v, p, sizeof v);
        return v;
    }
    static Vec load_part(const float* p, int) { return load(p); }
    static void store(float* p, Vec v) { __builtin_memcpy(p, &v, sizeof v); }
    static void store_part(float* p, Vec v, int) { store(p, v); }
    static Vec add(Vec a, Vec b) { return a + b; }
    static Vec sub(Vec a, Vec b) { return a - b; }
    static Vec mul(Vec a, Vec b) { return a * b; }
    static Vec fma(Vec a, Vec b, Vec c) { return a * b + c; }
    static Vec max(Vec a, Vec b) { return a > b ? a : b; }
    static float sum(Vec v) { return (v[0] + v[2]) + (v[1] + v[3]); }
    static float largest(Vec v) {
        const float a = v[0] > v[1] ? v[0] : v[1];
        const float b = v[2] > v[3] ? v[2] : v[3];
        return a > b ? a : b;
    }
    static bool any_above_or_nan(Vec a, Vec b) {
        const auto below = a <= b;
        return (below[0] & below[1] & below[2] & below[3]) == 0;
    }
    static bool any_nan(Vec v) {
        const auto nan = v != v;
        return (nan[0] | nan[1] | nan[2] | nan[3]) != 0;
    }

    static Vec fraction(Vec x) { return at_least(x) - (shifted(x) - set(kMagic)); }
    static Vec scaled(Vec p, Vec x, Vec /*fraction*/) {
        const Vec product = from_bits(bits(p) + (bits(shifted(x)) << 23));
        const Vec kept = x < set(kLeastPower) ? zero() : product;
        return x == x ? kept : x;
    }

    static Vec keep_if_below(Vec v, const std::uint8_t* bytes, int keep) {
        for (int i = 0; i < kWidth; ++i) {
            v[i] = bytes[i] < keep ? v[i] : 0.0f;
        }
        return v;
    }

    static Vec widen_bf16(const std::uint16_t* p, int) { return from_bits(Bits{p[0], p[1], p[2], p[3]} << 16); }
    static Vec widen_f16(const std::uint16_t* p, int) {
        return Vec{float_of(p[0]), float_of(p[1]), float_of(p[2]), float_of(p[3])};
    }
    static void narrow_bf16(std::uint16_t* p, Vec v, int) {
        const Bits b = bits(v);
        const Bits rounded = (b + 0x7FFFu + ((b >> 16) & 1u)) >> 16;
        for (int i = 0; i < kWidth; ++i) {
            p[i] = v[i] == v[i] ? static_cast<std::uint16_t>(rounded[i]) : std::uint16_t{0x7FC0};
        }
    }
    static void narrow_f16(std::uint16_t* p, Vec v, int) {
        for (int i = 0; i < kWidth; ++i) {
            p[i] = half_of(v[i]);
        }
    }

    static void transpose(Vec (&v)[kWidth]) {
        for (int i = 0; i < kWidth; ++i) {
            for (int j = 0; j < i; ++j) {
                const float kept = v[i][j];
                v[i][j] = v[j][i];
                v[j][i] = kept;
            }
        }
    }

private:
    // Adding 1.5 * 2^23 rounds a number to an integer, which then stands in the low bits of the sum; subtracting it
    // again leaves the rounded number.
    static constexpr float kMagic = 12582912.0f;
    static Vec at_least(Vec x) { return x > set(kLeastPower - 1.0f) ? x : set(kLeastPower - 1.0f); }
    static Vec shifted(Vec x) { return at_least(x) + set(kMagic); }
    static Bits bits(Vec v) { return reinterpret_cast<Bits>(v); }
    static Vec from_bits(Bits b) { return reinterpret_cast<Vec>(b); }
    static std::uint32_t bits(float x) {
        std::uint32_t b;
        __builtin_memcpy(&b, &x, sizeof b);
        return b;
    }
    static float from_bits(std::uint32_t b) {
        float x;
        __builtin_memcpy(&x, &b, sizeof x);
        return x;
    }
    static float float_of(std::uint16_t h) {
        const std::uint32_t sign = static_cast<std::uint32_t>(h & 0x8000) << 16;
        const std::uint32_t rest = static_cast<std::uint32_t>(h & 0x7FFF) << 13;
        if (rest >= 0x0F800000u) {
            return from_bits(sign | 0x7F800000u | rest);  // infinities and NaNs
        }
        return from_bits(sign | bits(from_bits(rest) * 0x1p112f));  // also right for denormal numbers
    }
    static std::uint16_t half_of(float x) {
        const std::uint32_t all = bits(x);
        const std::uint32_t sign = (all >> 16) & 0x8000u;
        const std::uint32_t rest = all & 0x7FFFFFFFu;
        if (rest > 0x7F800000u) {
            return static_cast<std::uint16_t>(sign | 0x7E00u);
        }
        if (rest >= 0x477FF000u) {  // rounds to 2^16 or more
            return static_cast<std::uint16_t>(sign | 0x7C00u);
        }
        if (rest < 0x38800000u) {  // denormal in half precision: adding 0.5 rounds x at its last bit
            return static_cast<std::uint16_t>(sign | (bits(from_bits(rest) + 0.5f) - bits(0.5f)));
        }
        return static_cast<std::uint16_t>(sign | ((rest - 0x38000000u + 0xFFFu + ((rest >> 13) & 1u)) >> 13));
    }
};

}  // namespace
}  // namespace longbow::cpu
