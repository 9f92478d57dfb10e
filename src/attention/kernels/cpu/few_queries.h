// The two products of a tile for so few queries (a decoder's one) that packing keys and values does not pay: they are read where they are.
#pragma once

#include "pack.h"

namespace longbow::cpu {
namespace {

constexpr int kFew = 3;  // queries at most

// scores [rows, kTile] of queries [rows, padded] with `count` keys from `first` on: a vector of partial sums a key, a square of them added
// up at once.
template <class T>
void score_few(const Rows<const T>& keys, int first, int count, int head_dim, int rows, const float* queries, float* scores) {
    constexpr int kWidth = Simd::kWidth;
    for (int i = 0; i < rows; ++i) {
        const float* query = queries + i * padded(head_dim);
        for (int j = 0; j < count; j += kWidth) {
            Simd::Vec partial[kWidth];
            for (int lane = 0; lane < kWidth; ++lane) {
                const T* key = keys.row(first + least(j + lane, count - 1));
                partial[lane] = Simd::zero();
                for (int d = 0; d < head_dim; d += kWidth) {
                    partial[lane] = Simd::fma(load_wide(key + d, least(kWidth, head_dim - d)), Simd::load(query + d), partial[lane]);
                }
            }
            Simd::transpose(partial);
            Simd::Vec sum = partial[0];
            for (int lane = 1; lane < kWidth; ++lane) {
                sum = Simd::add(sum, partial[lane]);
            }
            Simd::store(scores + i * kTile + j, sum);
        }
    }
}

// sums [padded] += the sum of weights[j] times value first + j, over `count` values.
template <class T>
void sum_few(const Rows<const T>& values, int first, int count, int head_dim, const float* weights, float* sums) {
    constexpr int kWidth = Simd::kWidth;
    constexpr int kVectorsAtOnce = 4;
    for (int begin = 0; begin < padded(head_dim); begin += kVectorsAtOnce * kWidth) {
        with_count<kVectorsAtOnce>(least(kVectorsAtOnce, (padded(head_dim) - begin) / kWidth), [&](auto vectors) {
            constexpr int kCount = decltype(vectors)::kRoom;
            Simd::Vec total[kCount];
            for (int v = 0; v < kCount; ++v) {
                total[v] = Simd::load(sums + begin + v * kWidth);
            }
            for (int j = 0; j < count; ++j) {
                const T* value = values.row(first + j) + begin;
                const Simd::Vec weight = Simd::set(weights[j]);
                for (int v = 0; v < kCount; ++v) {
                    total[v] = Simd::fma(weight, load_wide(value + v * kWidth, least(kWidth, head_dim - begin - v * kWidth)), total[v]);
                }
            }
            for (int v = 0; v < kCount; ++v) {
                Simd::store(sums + begin + v * kWidth, total[v]);
            }
        });
    }
}

}  // namespace
}  // namespace longbow::cpu
