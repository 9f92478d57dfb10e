// Sums the scores' gradients by query and by key: the gradients of the bias's terms by place. Each query's and each
// key's sum takes the tiles in the order of the walk over them, which is the same in both walks of backward.h.
#pragma once

#include "geometry.h"
#include "simd.h"

namespace longbow::cpu {
namespace {

// The distances from query i of a tile to kWidth keys from j on.
inline Simd::Vec distances(const TilePositions& positions, int i, int j) {
    const Simd::Vec ahead = Simd::sub(Simd::set(positions.queries[i]), Simd::load(positions.keys + j));
    return Simd::max(ahead, Simd::sub(Simd::zero(), ahead));
}

class PlaceGradients {
public:
    explicit PlaceGradients(const longbow_attention& a) : a_(a) {}

    [[nodiscard]] bool by_query() const { return a_.places.drow != nullptr || a_.places.dquery_slopes != nullptr; }
    [[nodiscard]] bool by_key() const { return a_.places.dcolumn != nullptr || a_.places.dkey_slopes != nullptr; }

    // Add a tile [rows, kTile] of the scores' gradients, which are 0 where a query does not see a key.
    void add_by_query(int batch_head, int query_block, int key_block, int rows, const float* tile) const {
        const std::int64_t first = std::int64_t{batch_head} * a_.query_length + query_block * kTile;
        const TilePositions positions(a_, query_block, key_block);
        for (int i = 0; i < rows; ++i) {
            Simd::Vec sum = Simd::zero(), moment = Simd::zero();
            for (int j = 0; j < kTile; j += Simd::kWidth) {
                const Simd::Vec gradient = Simd::load(tile + i * kTile + j);
                sum = Simd::add(sum, gradient);
                moment = Simd::fma(gradient, distances(positions, i, j), moment);
            }
            if (a_.places.drow != nullptr) a_.places.drow[first + i] += Simd::sum(sum);
            if (a_.places.dquery_slopes != nullptr) a_.places.dquery_slopes[first + i] -= Simd::sum(moment);
        }
    }
    void add_by_key(int batch_head, int query_block, int key_block, int rows, const float* tile) const {
        const std::int64_t first = std::int64_t{batch_head} * a_.key_length + key_block * kTile;
        const int keys = min_of(kTile, a_.key_length - key_block * kTile);
        const TilePositions positions(a_, query_block, key_block);
        for (int j = 0; j < keys; j += Simd::kWidth) {
            Simd::Vec sum = Simd::zero(), moment = Simd::zero();
            for (int i = 0; i < rows; ++i) {
                const Simd::Vec gradient = Simd::load(tile + i * kTile + j);
                sum = Simd::add(sum, gradient);
                if (a_.places.dkey_slopes != nullptr) moment = Simd::fma(gradient, distances(positions, i, j), moment);
            }
            const int count = min_of(Simd::kWidth, keys - j);
            if (a_.places.dcolumn != nullptr) add(sum, count, 1.0, a_.places.dcolumn + first + j);
            if (a_.places.dkey_slopes != nullptr) add(moment, count, -1.0, a_.places.dkey_slopes + first + j);
        }
    }

private:
    static void add(Simd::Vec x, int count, double factor, double* to) {
        float lanes[Simd::kWidth];
        Simd::store(lanes, x);
        for (int lane = 0; lane < count; ++lane) to[lane] += factor * static_cast<double>(lanes[lane]);
    }

    const longbow_attention& a_;
};

}  // namespace
}  // namespace longbow::cpu
