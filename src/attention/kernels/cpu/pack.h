// Copies rows of q, k, v, out and their gradients, of any type and stride, to dense fp32 tiles and back.
#pragma once

#include "geometry.h"
#include "simd.h"

namespace longbow::cpu {
namespace {

struct Bf16 {
    std::uint16_t bits;
};
struct F16 {
    std::uint16_t bits;
};

inline Simd::Vec load_wide(const float* p, int n) { return Simd::load_part(p, n); }
inline Simd::Vec load_wide(const Bf16* p, int n) { return Simd::widen_bf16(&p->bits, n); }
inline Simd::Vec load_wide(const F16* p, int n) { return Simd::widen_f16(&p->bits, n); }
inline void store_narrow(float* p, Simd::Vec v, int n) { Simd::store_part(p, v, n); }
inline void store_narrow(Bf16* p, Simd::Vec v, int n) { Simd::narrow_bf16(&p->bits, v, n); }
inline void store_narrow(F16* p, Simd::Vec v, int n) { Simd::narrow_f16(&p->bits, v, n); }

// head_dim rounded up to whole vectors: the width of a row in a tile. The rest of the row is filled with zeros.
inline int padded(int head_dim) { return (head_dim + Simd::kWidth - 1) / Simd::kWidth * Simd::kWidth; }

template <class T>
struct Rows {
    T* data;
    std::int64_t stride;
    [[nodiscard]] T* row(int i) const { return data + i * stride; }
};

template <class T>
Rows<T> rows_of(const longbow_tensor4& t, int batch, int head) {
    return {static_cast<T*>(t.data) + batch * t.batch + head * t.head, t.row};
}

// Copies rows [begin, end) to a tile [kTile, padded]; the tile's rows after them become zero.
template <class T>
void copy_tile(const Rows<T>& from, int begin, int end, int head_dim, float* tile) {
    const int width = padded(head_dim);
    for (int i = 0; i < kTile; ++i, tile += width) {
        if (begin + i < end) {
            const T* row = from.row(begin + i);
            for (int d = 0; d < width; d += Simd::kWidth) {
                Simd::store(tile + d, load_wide(row + d, min_of(Simd::kWidth, head_dim - d)));
            }
        } else {
            for (int d = 0; d < width; d += Simd::kWidth) {
                Simd::store(tile + d, Simd::zero());
            }
        }
    }
}

// Fills a tile [all_columns, kTile] with the transpose of kTile rows. load(row, column, n) returns n numbers of a row
// as a vector.
template <class Load>
void transpose_tile(int all_columns, float* tile, const Load& load) {
    constexpr int kWidth = Simd::kWidth;
    for (int i = 0; i < kTile; i += kWidth) {
        for (int d = 0; d < all_columns; d += kWidth) {
            const int columns = min_of(kWidth, all_columns - d);
            Simd::Vec square[kWidth];
#pragma GCC unroll 16
            for (int r = 0; r < kWidth; ++r) {
                square[r] = load(i + r, d, columns);
            }
            Simd::transpose(square);
            float* to = tile + d * kTile + i;
            if (columns == kWidth) {
#pragma GCC unroll 16
                for (int r = 0; r < kWidth; ++r) {
                    Simd::store(to + r * kTile, square[r]);
                }
            } else {
                for (int r = 0; r < columns; ++r) {
                    Simd::store(to + r * kTile, square[r]);
                }
            }
        }
    }
}

// Writes a row of a tile times `factor` to a row of a tensor.
template <class T>
void write_row(const float* from, Simd::Vec factor, int head_dim, T* to) {
    for (int d = 0; d < head_dim; d += Simd::kWidth) {
        store_narrow(to + d, Simd::mul(Simd::load(from + d), factor), min_of(Simd::kWidth, head_dim - d));
    }
}

}  // namespace
}  // namespace longbow::cpu
