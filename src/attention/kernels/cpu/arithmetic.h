// Defines the two ways in which the CPU kernels multiply tiles. Operands are rows of 32-bit words. A word holds one
// fp32 number or, on CPUs that multiply pairs of bf16 (VDPBF16PS), two neighbours along the depth (the summed
// dimension) of the product. Sums are fp32 either way.
#pragma once

#include "pack.h"

namespace longbow::cpu {
namespace {

// One fp32 number per word. Tensors of any type are widened to fp32 as they are packed.
struct Single {
    static constexpr int kPack = 1;  // numbers in a word
    static Simd::Vec multiply_add(Simd::Vec a, Simd::Vec b, Simd::Vec c) { return Simd::fma(a, b, c); }

    // Packs rows as a left operand, [kTile, padded].
    template <class T>
    static void copy_left(const Rows<T>& from, int begin, int end, int head_dim, float* tile) {
        copy_tile(from, begin, end, head_dim, tile);
    }
    // Packs rows as a right operand whose depth is the rows, [kTile, padded].
    template <class T>
    static void copy_right(const Rows<T>& from, int begin, int end, int head_dim, float* tile) {
        copy_tile(from, begin, end, head_dim, tile);
    }
    // Packs rows as a right operand whose depth is head_dim, transposed to [head_dim, kTile].
    template <class T>
    static void copy_across(const Rows<T>& from, int begin, int end, int head_dim, float* tile) {
        transpose_tile(head_dim, tile, [&](int i, int d, int n) {
            return begin + i < end ? load_wide(from.row(begin + i) + d, n) : Simd::zero();
        });
    }
    // Stores one query's weights for a tile's keys, `count` vectors, as a row of a left operand.
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
    // Two bf16 numbers per word. The functions are those of Single; an operand takes half as many words.
    static constexpr int kPack = 2;
    static Simd::Vec multiply_add(Simd::Vec a, Simd::Vec b, Simd::Vec c) {
        return _mm512_dpbf16_ps(c, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
    }

    static void copy_left(const Rows<const Bf16>& from, int begin, int end, int head_dim, float* tile) {
        const int words = padded(head_dim) / 2;
        for (int i = 0; i < kTile; ++i) {
            for (int w = 0; w < words; w += Simd::kWidth) {
                Simd::store_part(tile + i * words + w,
                                 begin + i < end ? words_of(from.row(begin + i), w, head_dim) : Simd::zero(),
                                 words - w);
            }
        }
    }
    // Packs to [kTile / 2, padded]; a word holds the same column of rows 2i and 2i + 1.
    static void copy_right(const Rows<const Bf16>& from, int begin, int end, int head_dim, float* tile) {
        const int width = padded(head_dim);
        const __m512i low = interleaving(0, 2 * kWidth);
        const __m512i high = interleaving(kWidth, 2 * kWidth);
        for (int i = begin; i < begin + kTile; i += 2, tile += width) {
            for (int d = 0; d < width; d += 2 * kWidth) {
                const auto words = [&](int row) {
                    return _mm512_castps_si512(row < end ? words_of(from.row(row), d / 2, head_dim) : Simd::zero());
                };
                const __m512i first = words(i), second = words(i + 1);
                Simd::store(tile + d, _mm512_castsi512_ps(_mm512_permutex2var_epi16(first, low, second)));
                if (d + kWidth < width) {
                    Simd::store(tile + d + kWidth, _mm512_castsi512_ps(_mm512_permutex2var_epi16(first, high, second)));
                }
            }
        }
    }
    static void copy_across(const Rows<const Bf16>& from, int begin, int end, int head_dim, float* tile) {
        transpose_tile(head_dim / 2, tile, [&](int i, int w, int) {
            return begin + i < end ? words_of(from.row(begin + i), w, head_dim) : Simd::zero();
        });
    }
    template <class N>
    static void store_row(N count, float* row, const Simd::Vec* x) {
        const int n = count;
#pragma GCC unroll 4
        for (int v = 0; v < n; v += 2) {
            Simd::store(row + v / 2 * Simd::kWidth, pairs_along(x[v], v + 1 < n ? x[v + 1] : Simd::zero()));
        }
    }

    // Returns 16 words that hold the 16 numbers of `first` and then the 16 of `second`, two neighbours in each.
    static Simd::Vec pairs_along(Simd::Vec first, Simd::Vec second) {
        return reinterpret_cast<Simd::Vec>(_mm512_cvtne2ps_pbh(second, first));
    }
    // Returns 16 words; word i holds first[i] in its low half and second[i] in its high half.
    static Simd::Vec pairs_across(Simd::Vec first, Simd::Vec second) {
        const __m512i side_by_side = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(second, first));
        return _mm512_castsi512_ps(_mm512_permutexvar_epi16(interleaving(0, kWidth), side_by_side));
    }

private:
    static constexpr int kWidth = Simd::kWidth;

    // Returns a permutation of 16-bit numbers whose word i takes number from + i (low half) and number from + i +
    // offset (high half).
    static __m512i interleaving(int from, int offset) {
        const __m512i count = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
        const __m512i both = _mm512_or_si512(count, _mm512_slli_epi32(count, 16));
        return _mm512_add_epi32(both, _mm512_set1_epi32(from | (from + offset) << 16));
    }
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
