// C (+)= A * B of small tiles, C in fp32. A register block of kRows x kColumns vectors stays in registers while the depth runs; A is read by
// broadcasts at any strides (so that a transposed tile needs no transposition), B by whole vectors. A product is added to C as a whole, so
// that sums over thousands of keys round as sums over tiles.
#pragma once

#include "arithmetic.h"

namespace longbow::cpu {
namespace {

struct Left {
    const float* data;
    std::ptrdiff_t row, depth;  // strides
};

// The part of B that a group of rows needs: vectors [0, vectors) of each row, rows [begin, end) of the depth.
struct Extent {
    int vectors, begin, end;
};

template <class Arithmetic, bool kAdd, int kRows, int kVectors>
[[gnu::always_inline]] inline void register_block(const Left& a, const float* b, std::ptrdiff_t b_row, float* c, std::ptrdiff_t c_row,
                                                  int begin, int end) {
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
void row_group(const Left& a, const float* b, std::ptrdiff_t b_row, float* c, std::ptrdiff_t c_row, const Extent& extent) {
    int v = 0;
    for (; v + Simd::kColumns <= extent.vectors; v += Simd::kColumns) {
        register_block<Arithmetic, kAdd, kRows, Simd::kColumns>(a, b + v * Simd::kWidth, b_row, c + v * Simd::kWidth, c_row, extent.begin,
                                                                extent.end);
    }
    b += v * Simd::kWidth;
    c += v * Simd::kWidth;
    switch (extent.vectors - v) {
        case 3:
            if constexpr (Simd::kColumns > 3) register_block<Arithmetic, kAdd, kRows, 3>(a, b, b_row, c, c_row, extent.begin, extent.end);
            break;
        case 2:
            if constexpr (Simd::kColumns > 2) register_block<Arithmetic, kAdd, kRows, 2>(a, b, b_row, c, c_row, extent.begin, extent.end);
            break;
        case 1: register_block<Arithmetic, kAdd, kRows, 1>(a, b, b_row, c, c_row, extent.begin, extent.end); break;
        default: break;
    }
}

// extent_of(first row, last row) says what the rows of one group need. C, [rows, vectors * kWidth], is written only there.
template <class Arithmetic, bool kAdd, class ExtentOf>
void product(int rows, const Left& a, const float* b, std::ptrdiff_t b_row, float* c, std::ptrdiff_t c_row, const ExtentOf& extent_of) {
    int i = 0;
    const auto from = [&](int row) { return Left{a.data + row * a.row, a.row, a.depth}; };
    for (; i + kRowGroup <= rows; i += kRowGroup) {
        row_group<Arithmetic, kAdd, kRowGroup>(from(i), b, b_row, c + i * c_row, c_row, extent_of(i, i + kRowGroup - 1));
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
