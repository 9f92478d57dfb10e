// The two ways in which tiles are multiplied. Operands are rows of 32-bit words: one fp32 number each, or, where the CPU multiplies pairs
// of bf16 (VDPBF16PS), two neighbours along the depth of the product. Sums are fp32 either way.
#pragma once

#include "pack.h"

namespace longbow::cpu {
namespace {

// Any type, widened to fp32 as it is packed.
struct Single {
    static constexpr int kPack = 1;  // numbers a word
    static Simd::Vec multiply_add(Simd::Vec a, Simd::Vec b, Simd::Vec c) { return Simd::fma(a, b, c); }

    // Rows as a left operand, [kTile, padded].
    template <class T>
    static void copy_left(const Rows<T>& from, int begin, int end, int head_dim, float* tile) {
        copy_tile(from, begin, end, head_dim, tile);
    }
    // Rows as a right operand whose depth is the rows, [kTile, padded].
    template <class T>
    static void copy_right(const Rows<T>& from, int begin, int end, int head_dim, float* tile) {
        copy_tile(from, begin, end, head_dim, tile);
    }
    // Rows as a right operand whose depth is head_dim, [head_dim, kTile].
    template <class T>
    static void copy_across(const Rows<T>& from, int begin, int end, int head_dim, float* tile) {
        transpose_tile(head_dim, tile,
                       [&](int i, int d, int n) { return begin + i < end ? load_wide(from.row(begin + i) + d, n) : Simd::zero(); });
    }
    // Weights of a row of keys as a left operand.
    template <class N>
    static void store_row(N count, float* row, const Simd::Vec* x) {
        const int n = count;
#pragma GCC unroll 16
        for (int v = 0; v < n; ++v) {
            Simd::store(row + v * Simd::kWidth, x[v]);
        }
    }
};

#if defined(__AVX512BF16__)
struct PairsOfBf16 {
    static constexpr int kPack = 2;
    static Simd::Vec multiply_add(Simd::Vec a, Simd::Vec b, Simd::Vec c) {
        return _mm512_dpbf16_ps(c, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
    }

    static void copy_left(const Rows<const Bf16>& from, int begin, int end, int head_dim, float* tile) {
        const int words = padded(head_dim) / 2;
        for (int i = 0; i < kTile; ++i) {
            for (int w = 0; w < words; w += Simd::kWidth) {
                Simd::store_part(tile + i * words + w, begin + i < end ? words_of(from.row(begin + i), w, head_dim) : Simd::zero(),
                                 words - w);
            }
        }
    }
    // [kTile / 2, padded]: rows 2i and 2i + 1 side by side.
    static void copy_right(const Rows<const Bf16>& from, int begin, int end, int head_dim, float* tile) {
        const int width = padded(head_dim);
        for (int i = 0; i < kTile; i += 2, tile += width) {
            for (int d = 0; d < width; d += Simd::kWidth) {
                const auto bits = [&](int row) {
                    return row < end ? load_wide(from.row(row) + d, least(Simd::kWidth, head_dim - d)) : Simd::zero();
                };
                const __m512i low = _mm512_srli_epi32(_mm512_castps_si512(bits(begin + i)), 16);
                Simd::store(tile + d, _mm512_castsi512_ps(_mm512_or_si512(low, _mm512_castps_si512(bits(begin + i + 1)))));
            }
        }
    }
    static void copy_across(const Rows<const Bf16>& from, int begin, int end, int head_dim, float* tile) {
        transpose_tile(head_dim / 2, tile,
                       [&](int i, int w, int) { return begin + i < end ? words_of(from.row(begin + i), w, head_dim) : Simd::zero(); });
    }
    template <class N>
    static void store_row(N count, float* row, const Simd::Vec* x) {
        const int n = count;
#pragma GCC unroll 4
        for (int v = 0; v < n; v += 2) {
            Simd::store(row + v / 2 * Simd::kWidth, pairs_along(x[v], v + 1 < n ? x[v + 1] : Simd::zero()));
        }
    }

    // Sixteen words of the 32 numbers of `first` and `second`.
    static Simd::Vec pairs_along(Simd::Vec first, Simd::Vec second) {
        return reinterpret_cast<Simd::Vec>(_mm512_cvtne2ps_pbh(second, first));
    }
    // Sixteen words, each of a number of `first` and its like of `second`.
    static Simd::Vec pairs_across(Simd::Vec first, Simd::Vec second) {
        const __m512i low = _mm512_cvtepu16_epi32(reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(first)));
        const __m512i high = _mm512_cvtepu16_epi32(reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(second)));
        return _mm512_castsi512_ps(_mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
    }

private:
    static Simd::Vec words_of(const Bf16* row, int word, int head_dim) {
        return Simd::load_part(reinterpret_cast<const float*>(row) + word, head_dim / 2 - word);
    }
};
#endif

template <class T>
struct ArithmeticOf {
    using Type = Single;
};
#if defined(__AVX512BF16__)
template <>
struct ArithmeticOf<Bf16> {
    using Type = PairsOfBf16;
};
#endif

}  // namespace
}  // namespace longbow::cpu
