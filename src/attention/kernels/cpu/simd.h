// The vector type of the instruction set that this file is compiled for, as one struct `Simd`.
#pragma once

#include <cstddef>
#include <cstdint>

namespace longbow::cpu {
namespace {

constexpr float kLeastPower = -126.0f;  // 2^x is 0 below: no denormal numbers, which are slow

}  // namespace
}  // namespace longbow::cpu

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#include "simd_avx512.h"
#elif defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#include "simd_avx2.h"
#else
#include "simd_portable.h"
#endif

namespace longbow::cpu {
namespace {

// A number of vectors: known to the compiler, or up to kRoom.
template <int kN>
struct Count {
    static constexpr int kRoom = kN;
    constexpr operator int() const { return kN; }  // NOLINT(google-explicit-constructor)
};
template <int kMost>
struct AnyCount {
    static constexpr int kRoom = kMost;
    int count;
    operator int() const { return count; }  // NOLINT(google-explicit-constructor)
};

template <int kTimes, int kN>
constexpr Count<kTimes * kN> times(Count<kN> /*count*/) {
    return {};
}
template <int kTimes, int kMost>
AnyCount<kTimes * kMost> times(AnyCount<kMost> count) {
    return {kTimes * count.count};
}

// 2^x of `count` vectors in place, relative error 1e-7; 0 below 2^-126, NaN for NaN. Step by step for Simd::kInStep at a time: a CPU sees too
// few instructions ahead to overlap whole vectors, each of which waits for itself.
template <int kN>
[[gnu::always_inline]] inline void exp2_each(Count<kN> /*count*/, Simd::Vec* x) {
    if constexpr (kN > Simd::kInStep) {
        exp2_each(Count<Simd::kInStep>{}, x);
        exp2_each(Count<kN - Simd::kInStep>{}, x + Simd::kInStep);
    } else {
        constexpr float kPolynomial[] = {1.327647245e-3f, 9.675540961e-3f, 5.550713092e-2f, 2.402212024e-1f, 6.931469440e-1f, 1.0f};
        Simd::Vec r[kN], p[kN];
#pragma GCC unroll 8
        for (int v = 0; v < kN; ++v) {
            r[v] = Simd::fraction(x[v]);
            p[v] = Simd::set(kPolynomial[0]);
        }
#pragma GCC unroll 8
        for (int k = 1; k < 6; ++k) {
#pragma GCC unroll 8
            for (int v = 0; v < kN; ++v) {
                p[v] = Simd::fma(p[v], r[v], Simd::set(kPolynomial[k]));
            }
        }
#pragma GCC unroll 8
        for (int v = 0; v < kN; ++v) {
            x[v] = Simd::scaled(p[v], x[v], r[v]);
        }
    }
}
inline Simd::Vec exp2_of(Simd::Vec x) {
    exp2_each(Count<1>{}, &x);
    return x;
}
template <int kMost>
void exp2_each(AnyCount<kMost> count, Simd::Vec* x) {
    for (int v = 0; v < count; ++v) {
        x[v] = exp2_of(x[v]);
    }
}

// body(count) for 0 < count <= kMost; with the count known to the compiler, so that the vectors go through in step, unless there are many.
template <int kMost, class Body>
[[gnu::always_inline]] inline void with_count(int count, const Body& body) {
    if constexpr (kMost > 8) {
        body(AnyCount<kMost>{count});
    } else if constexpr (kMost > 0) {
        if (count == kMost) {
            body(Count<kMost>{});
        } else {
            with_count<kMost - 1>(count, body);
        }
    }
}

}  // namespace
}  // namespace longbow::cpu
