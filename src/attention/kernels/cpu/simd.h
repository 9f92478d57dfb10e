// The vector type of the instruction set that this file is compiled for, as one struct `Simd`.
#pragma once

#include <cstddef>
#include <cstdint>

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
