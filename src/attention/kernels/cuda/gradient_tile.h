// Computes the gradients of the scores of one square tile, for the gradients of a distance table.
#pragma once

#include "dropout.h"
#include "launch.h"
#include "place_scores.h"
#include "row_terms.h"
#include "scores.h"

namespace longbow::cuda {

template <class T, int kDim>
struct TableGradientShape {
    static constexpr int kTile = sizeof(T) == 2 ? (kDim <= 128 ? 64 : 32) : (kDim <= 128 ? 32 : 16);
    static constexpr int kTileBytes = kTile * Tile<T, kDim>::kRowBytes;
};

template <class T, int kDim, bool kPlaces>
struct GradientTile {
    using Shape = TableGradientShape<T, kDim>;
    using Math = Products<T>;
    using Operand = Tile<T, kDim>;
    static constexpr int kThreads = 2 * Shape::kTile;
    static constexpr int kTiles = Shape::kTile / 8;

    const longbow_attention& call;
    const float* lse;  // from RowTermsKernel, as delta
    const float* delta;
    const std::conditional_t<kPlaces, PlaceArrays, NoPlaces>& places;

    LONGBOW_DEVICE static Operand operand(int which) {
        return Operand{device::shared_memory() + static_cast<std::uint32_t>(which * Shape::kTileBytes)};
    }

    LONGBOW_DEVICE static void products(float (&x)[kTiles][4], const Operand& rows, const Operand& columns,
                                        const Lane& lane) {
        LONGBOW_UNROLL
        for (auto& sum : x) sum[0] = sum[1] = sum[2] = sum[3] = 0.0f;
        LONGBOW_UNROLL
        for (int d = 0; d < kDim / 16; ++d) {
            typename Math::A a;
            Math::load(a, rows, lane, 16 * lane.warp, 16 * d);
            LONGBOW_UNROLL
            for (int n = 0; n < kTiles / 2; ++n) {
                typename Math::B2 b;
                Math::load_rows(b, columns, lane, 16 * n, 16 * d);
                Math::multiply(x[2 * n], x[2 * n + 1], a, b);
            }
        }
    }

    // Gives dS of one tile: calls take(n, j, value) for each of this lane's elements.
    template <class Take>
    LONGBOW_DEVICE void each(const Scores& scores, const Lane& lane, int batch, int head, int query, int key,
                             const Take& take) const {
        const int kv_head = kv_head_of(call, head);
        device::sync();  // no thread still reads the last tiles
        start_loading<Shape::kTile, kThreads>(operand(0), Matrix<T>(call.q, batch, head), query, scores.queries,
                                              call.head_dim);
        start_loading<Shape::kTile, kThreads>(operand(1), Matrix<T>(call.k, batch, kv_head), key, scores.keys,
                                              call.head_dim);
        start_loading<Shape::kTile, kThreads>(operand(2), Matrix<T>(call.dout, batch, head), query, scores.queries,
                                              call.head_dim);
        start_loading<Shape::kTile, kThreads>(operand(3), Matrix<T>(call.v, batch, kv_head), key, scores.keys,
                                              call.head_dim);
        device::commit_copies();
        const int row = query + 16 * lane.warp;
        float row_lse[2], row_delta[2];
        LONGBOW_UNROLL
        for (int r = 0; r < 2; ++r) {
            const std::int64_t head_index = static_cast<std::int64_t>(batch) * call.heads + head;
            const std::int64_t at = head_index * padded_rows_on_device(call) + row + lane.g + 8 * r;
            row_lse[r] = lse[at], row_delta[r] = delta[at];
        }
        device::wait_copies<0>();
        device::sync();

        float p[kTiles][4], dp[kTiles][4];
        products(p, operand(0), operand(1), lane);
        const HeadPlaces head_places(call, places, static_cast<std::int64_t>(batch) * call.heads + head);
        const Elements<kPlaces, true, false, kTiles> elements(scores, head_places, row + lane.g, key + 2 * lane.t);
        elements.apply(p, scores.kind(query, Shape::kTile, key, Shape::kTile), row + lane.g);
        products(dp, operand(2), operand(3), lane);
        const Dropout dropout(call, batch, head);
        const std::uint32_t kept = dropout.active() ? dropout.template mask_of_query_rows<kTiles>(lane, row, key) : ~0u;
        LONGBOW_UNROLL
        for (int n = 0; n < kTiles; ++n) {
            LONGBOW_UNROLL
            for (int j = 0; j < 4; ++j) {
                const float probability = device::exp2_fast(p[n][j] - row_lse[j >> 1]);
                const float seen = (kept >> (4 * n + j) & 1u) != 0 ? dp[n][j] * dropout.factor() : 0.0f;
                take(n, j, probability * (seen - row_delta[j >> 1]));
            }
        }
    }
};

}  // namespace longbow::cuda
