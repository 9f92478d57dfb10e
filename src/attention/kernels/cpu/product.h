// Multiplies small tiles: C = A * B or C += A * B, with C in fp32. A block of 6 rows by Simd::kColumns vectors of C
// stays in registers while the depth (the summed dimension) runs; it takes 24 of AVX-512's 32 registers or 12 of AVX2's
// 16. A is read by broadcasts at any strides, so that a transposed tile need not be transposed in memory, and B by
// whole vectors. The product of a tile is summed from zero and then added to C as a whole, so that a sum over thousands
// of keys rounds like a sum over tiles.
#pragma once

#include "arithmetic.h"

namespace longbow::cpu {
namespace {

// The operand A; element (i, k) is data[i * row + k * depth].
struct Left {
    const float* data;
    std::ptrdiff_t row, depth;  // strides
};

// The part of B that a group of rows needs: the first `vectors` vectors of each row, and rows [begin, end) of the
// depth.
struct Extent {
    int vectors, begin, end;
};

template <class Arithmetic, bool kAdd, int kRows, int kVectors>
[[gnu::always_inline]] inline void register_block(const Left& a, const float* b, std::ptrdiff_t b_row, float* c,
                                                  std::ptrdiff_t c_row, int begin, int end) {
    Simd::Vec sums[kRows][kVectors];
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) {
            sums[i][v] = Simd::zero();
        }
    }
    const float* left = a.data + begin * a.depth;
    const float* right = b + begin * b_row;
    for (int k = begin; k < end; ++k, left += a.depth, right += b_row) {
        Simd::Vec row[kVectors];
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) {
            row[v] = Simd::load(right + v * Simd::kWidth);
        }
#pragma GCC unroll 16
        for (int i = 0; i < kRows; ++i) {
            const Simd::Vec factor = Simd::set(left[i * a.row]);
#pragma GCC unroll 4
            for (int v = 0; v < kVectors; ++v) {
                sums[i][v] = Arithmetic::multiply_add(factor, row[v], sums[i][v]);
            }
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) {
            float* to = c + i * c_row + v * Simd::kWidth;
            Simd::store(to, kAdd ? Simd::add(Simd::load(to), sums[i][v]) : sums[i][v]);
        }
    }
}

template <class Arithmetic, bool kAdd, int kRows>
void row_group(const Left& a, const float* b, std::ptrdiff_t b_row, float* c, std::ptrdiff_t c_row,
               const Extent& extent) {
    int v = 0;
    for (; v + Simd::kColumns <= extent.vectors; v += Simd::kColumns) {
        register_block<Arithmetic, kAdd, kRows, Simd::kColumns>(a, b + v * Simd::kWidth, b_row, c + v * Simd::kWidth,
                                                                c_row, extent.begin, extent.end);
    }
    b += v * Simd::kWidth;
    c += v * Simd::kWidth;
    switch (extent.vectors - v) {
        case 3:
            if constexpr (Simd::kColumns > 3)
                register_block<Arithmetic, kAdd, kRows, 3>(a, b, b_row, c, c_row, extent.begin, extent.end);
            break;
        case 2:
            if constexpr (Simd::kColumns > 2)
                register_block<Arithmetic, kAdd, kRows, 2>(a, b, b_row, c, c_row, extent.begin, extent.end);
            break;
        case 1: register_block<Arithmetic, kAdd, kRows, 1>(a, b, b_row, c, c_row, extent.begin, extent.end); break;
        default: break;
    }
}

// Multiplies `rows` rows of A. extent_of(first row, last row) returns what a group of rows needs of B. Of C, [rows,
// vectors * kWidth], only that part is written.
template <class Arithmetic, bool kAdd, class ExtentOf>
void product(int rows, const Left& a, const float* b, std::ptrdiff_t b_row, float* c, std::ptrdiff_t c_row,
             const ExtentOf& extent_of) {
    int i = 0;
    const auto from = [&](int row) { return Left{a.data + row * a.row, a.row, a.depth}; };
    for (; i + kRowGroup <= rows; i += kRowGroup) {
        row_group<Arithmetic, kAdd, kRowGroup>(from(i), b, b_row, c + i * c_row, c_row,
                                               extent_of(i, i + kRowGroup - 1));
    }
    for (; i + 4 <= rows; i += 4) {
        row_group<Arithmetic, kAdd, 4>(from(i), b, b_row, c + i * c_row, c_row, extent_of(i, i + 3));
    }
    for (; i < rows; ++i) {
        row_group<Arithmetic, kAdd, 1>(from(i), b, b_row, c + i * c_row, c_row, extent_of(i, i));
    }
}

}  // namespace
}  // namespace longbow::cpu
