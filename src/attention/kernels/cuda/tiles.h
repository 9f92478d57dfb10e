// Copies tensors from global memory to tiles in shared memory, and writes rows of sums back.
#pragma once

#include <cstdint>

#include "../params.h"
#include "fragments.h"

namespace longbow::cuda {

// One [length, head_dim] matrix of a tensor.
template <class T>
struct Matrix {
    T* data;
    std::int64_t pitch;  // elements from row to row

    LONGBOW_DEVICE Matrix(const longbow_tensor4& tensor, int batch, int head)
        : data(static_cast<T*>(tensor.data) + batch * tensor.batch + head * tensor.head), pitch(tensor.row) {}
    LONGBOW_DEVICE T* at(int row, int column) const { return data + row * pitch + column; }
};

// Starts copying rows first .. first + kRows - 1 to a tile. Rows from `rows` on and columns from `columns` on become
// zeros and are not read, so that padding may hold anything, even NaN.
template <int kRows, int kThreads, class T, int kDim>
LONGBOW_DEVICE void start_loading(const Tile<T, kDim>& tile, const Matrix<T>& from, int first, int rows, int columns) {
    constexpr int kChunk = 16 / static_cast<int>(sizeof(T));
    constexpr int kChunks = kDim / kChunk;
    LONGBOW_UNROLL
    for (int i = device::thread(); i < kRows * kChunks; i += kThreads) {
        const int row = i / kChunks;
        const int column = i % kChunks * kChunk;
        const bool in_bounds = first + row < rows && column < columns;
        device::copy16(tile.slot(row, column), in_bounds ? from.at(first + row, column) : from.data, in_bounds);
    }
}

// Writes this lane's part of 16 rows of sums, each row times its `factor`, to the rows below `rows`.
template <int kTiles, class T>
LONGBOW_DEVICE void store_rows(const Matrix<T>& to, const float (&sums)[kTiles][4], const float (&factor)[2],
                               const Lane& lane, int first, int rows, int first_column, int columns) {
    LONGBOW_UNROLL
    for (int r = 0; r < 2; ++r) {
        const int row = first + lane.g + 8 * r;
        if (row >= rows) continue;
        LONGBOW_UNROLL
        for (int n = 0; n < kTiles; ++n) {
            const int column = first_column + n * 8 + lane.t * 2;
            // A row without a key has the factor 0, which must give 0 even for an infinite sum.
            const float low = factor[r] == 0.0f ? 0.0f : sums[n][2 * r] * factor[r];
            const float high = factor[r] == 0.0f ? 0.0f : sums[n][2 * r + 1] * factor[r];
            if (column < columns) store2(to.at(row, column), low, high);
        }
    }
}

}  // namespace longbow::cuda
