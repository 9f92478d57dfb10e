// Defines the vector type `Simd` of the instruction set for which the including file is compiled, and functions over
// several vectors at once.
#pragma once

#include <cstddef>
#include <cstdint>

namespace longbow::cpu {
namespace {

constexpr float kLeastPower = -126.0f;  // 2^x is 0 for smaller x, because denormal numbers are slow

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

// A number of vectors: Count is known to the compiler, RuntimeCount only when the program runs. kMaxCount is the
// largest possible.
template <int kN>
struct Count {
    static constexpr int kMaxCount = kN;
    constexpr operator int() const { return kN; }  // NOLINT(google-explicit-constructor)
};
template <int kMost>
struct RuntimeCount {
    static constexpr int kMaxCount = kMost;
    int count;
    operator int() const { return count; }  // NOLINT(google-explicit-constructor)
};

template <int kTimes, int kN>
constexpr Count<kTimes * kN> times(Count<kN> /*count*/) {
    return {};
}
template <int kTimes, int kMost>
RuntimeCount<kTimes * kMost> times(RuntimeCount<kMost> count) {
    return {kTimes * count.count};
}

// Replaces x by 2^x in `count` vectors, with a relative error of 1e-7; the result is 0 for x < -126 and NaN for NaN.
// With r = x - round(x), a polynomial of degree 5 gives 2^r, which is then scaled by 2^round(x). Simd::kInterleaved
// vectors go through each step together: a CPU does not look far enough ahead to overlap the long dependent chains of
// vectors that are handled one after another.
template <int kN>
[[gnu::always_inline]] inline void exp2_each(Count<kN> /*count*/, Simd::Vec* x) {
    if constexpr (kN > Simd::kInterleaved) {
        exp2_each(Count<Simd::kInterleaved>{}, x);
        exp2_each(Count<kN - Simd::kInterleaved>{}, x + Simd::kInterleaved);
    } else {
        constexpr float kPolynomial[] = {1.327647245e-3f, 9.675540961e-3f, 5.550713092e-2f,
                                         2.402212024e-1f, 6.931469440e-1f, 1.0f};
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
void exp2_each(RuntimeCount<kMost> count, Simd::Vec* x) {
    for (int v = 0; v < count; ++v) {
        x[v] = exp2_of(x[v]);
    }
}

// Calls body(count) for 0 < count <= kMost; 0 does nothing. The count is known to the compiler, so that the vectors go
// through exp2_each together, unless kMost is above 8.
template <int kMost, class Body>
[[gnu::always_inline]] inline void with_count(int count, const Body& body) {
    if constexpr (kMost > 8) {
        body(RuntimeCount<kMost>{count});
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
