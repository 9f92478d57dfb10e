// Computes the two matrix products of a tile for calls of one to three queries (generation computes one at a time).
// Packing keys and values would not pay for so few, so they are read in place.
#pragma once

#include "pack.h"

namespace longbow::cpu {
namespace {

constexpr int kFew = 3;  // most queries for which packing does not pay

// Computes scores [rows, kTile] of queries [rows, padded] with `count` keys from `first` on. Each key has a vector of
// partial sums; kWidth such vectors are transposed and added, which gives a vector of kWidth scores.
template <class T>
void score_few(const Rows<const T>& keys, int first, int count, int head_dim, int rows, const float* queries,
               float* scores) {
    constexpr int kWidth = Simd::kWidth;
    for (int i = 0; i < rows; ++i) {
        const float* query = queries + i * padded(head_dim);
        for (int j = 0; j < count; j += kWidth) {
            Simd::Vec partial[kWidth];
            for (int lane = 0; lane < kWidth; ++lane) {
                const T* key = keys.row(first + min_of(j + lane, count - 1));
                partial[lane] = Simd::zero();
                for (int d = 0; d < head_dim; d += kWidth) {
                    partial[lane] = Simd::fma(load_wide(key + d, min_of(kWidth, head_dim - d)), Simd::load(query + d),
                                              partial[lane]);
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

// Adds weights[j] times value row first + j to sums [padded], for j below `count`.
template <class T>
void sum_few(const Rows<const T>& values, int first, int count, int head_dim, const float* weights, float* sums) {
    constexpr int kWidth = Simd::kWidth;
    constexpr int kVectorsAtOnce = 4;
    for (int begin = 0; begin < padded(head_dim); begin += kVectorsAtOnce * kWidth) {
        with_count<kVectorsAtOnce>(min_of(kVectorsAtOnce, (padded(head_dim) - begin) / kWidth), [&](auto vectors) {
            constexpr int kCount = decltype(vectors)::kMaxCount;
            Simd::Vec total[kCount];
            for (int v = 0; v < kCount; ++v) {
                total[v] = Simd::load(sums + begin + v * kWidth);
            }
            for (int j = 0; j < count; ++j) {
                const T* value = values.row(first + j) + begin;
                const Simd::Vec weight = Simd::set(weights[j]);
                for (int v = 0; v < kCount; ++v) {
                    total[v] = Simd::fma(
                        weight, load_wide(value + v * kWidth, min_of(kWidth, head_dim - begin - v * kWidth)), total[v]);
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
