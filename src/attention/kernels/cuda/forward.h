// The CUDA forward pass. A block computes one tile of queries and walks over the visible tiles of keys, from the last
// (where ALiBi's weight lies, so that the maximum is found early) to the first that the window and the skip table
// leave. The online softmax works in base 2, and probabilities go from registers straight into the next product. The
// next tile of K is copied during P V, and the tile of V during Q K^T and the softmax.
#pragma once

#include "dropout.h"
#include "launch.h"
#include "place_scores.h"
#include "scores.h"

namespace longbow::cuda {

// Sizes of a block's tiles. They shrink as head_dim grows, so that no register is spilled and the registers of a
// multiprocessor hold two blocks of 16-bit types or one of fp32 (tests/emulator/test_static_gates.py checks both).
template <class T, int kDim_, int kWarps>
struct ForwardShape {
    static constexpr bool kHalf = sizeof(T) == 2;
    static constexpr int kRows = 16 * kWarps;
    static constexpr int kKeys = kHalf ? (kDim_ <= 128 ? 64 : 32) : (kDim_ <= 128 ? 32 : 16);
    // Whether queries stay in registers as fragments, which is possible where they fit beside the sums. Their shared
    // memory is then reused for V.
    static constexpr bool kQueriesInRegisters = kHalf ? kDim_ <= 128 : kDim_ <= 64;
    using QueryTile = Tile<T, kDim_>;
    static constexpr int kQueryBytes = kRows * QueryTile::kRowBytes;
    static constexpr int kKeyBytes = kKeys * QueryTile::kRowBytes;
    static constexpr int kSharedBytes = kQueriesInRegisters
                                            ? kKeyBytes + (kQueryBytes > kKeyBytes ? kQueryBytes : kKeyBytes)
                                            : kQueryBytes + 2 * kKeyBytes;
};

// kPlaces: the kernel for a bias with parts by place. The other one knows nothing of them.
template <class T, int kDim, int kWarps, bool kPlaces>
struct ForwardKernel {
    using Shape = ForwardShape<T, kDim, kWarps>;
    using Math = Products<T>;
    static constexpr int kThreads = 32 * kWarps;
    static constexpr int kBlocks = kPlaces ? 1 : 0;  // with 0, ptxas spills registers to fit three blocks
    static constexpr int kSharedBytes = Shape::kSharedBytes;
    static constexpr int kKeyTiles = Shape::kKeys / 8;

    longbow_attention call;
    int splits;  // parts of the keys, each with its own block; with 1, call.out and call.lse are written directly
    // If splits > 1: [batch, heads, splits, query_length, head_dim], each part normalised by its own sum.
    float* partial;
    float* partial_lse;  // [batch, heads, splits, query_length], natural log
    std::conditional_t<kPlaces, PlaceArrays, NoPlaces> places;

    struct State {
        float out[kDim / 8][4];
        float row_max[2], sum[2];  // of this lane's two rows; sum holds this lane's part, and four lanes share a row
    };

    LONGBOW_DEVICE void operator()() const {
        const Lane lane;
        const int head = device::block_y();
        const int batch = device::block_z();
        const int blocks = device::blocks_x() / splits;
        // The last rows see the most keys, so they start first.
        const int block = blocks - 1 - device::block_x() / splits;
        const int split = device::block_x() % splits;
        const int first_row = block * Shape::kRows;

        const Scores scores(call, batch, head);
        const int last_row = min_of(first_row + Shape::kRows, scores.queries) - 1;
        // Tiles are counted without those of the gap between the sinks and the window.
        int first_tile = 0, end_tile = 0;
        if (last_row >= first_row) visible_tiles(first_tile, end_tile, scores, first_row, last_row, split);

        State state;
        clear(state);
        if (first_tile < end_tile) attend(state, scores, lane, batch, head, first_row, first_tile, end_tile);
        finish(state, scores, lane, batch, head, first_row, split);
    }

private:
    LONGBOW_DEVICE void visible_tiles(int& first, int& end, const Scores& scores, int first_row, int last_row,
                                      int split) const {
        int key = kPlaces && call.places.sinks > 0 ? 0 : scores.first_key(first_row);
        if (call.first_key_block != nullptr) {
            const int query_blocks = (call.query_length + kSkipBlock - 1) / kSkipBlock;
            const std::int64_t at =
                (static_cast<std::int64_t>(device::block_z()) * call.heads + device::block_y()) * query_blocks;
            key = max_of(key, kSkipBlock * call.first_key_block[at + first_row / kSkipBlock]);
        }
        int all_first = key / Shape::kKeys;
        int all_end = (scores.end_key(last_row) + Shape::kKeys - 1) / Shape::kKeys;
        if constexpr (kPlaces) {
            if (call.places.sinks > 0) {
                // Without the gap's tiles, unless the skip table leaves out the sinks too.
                const Gap gap = gap_of(scores, first_row);
                if (all_first >= gap.begin) all_first = max_of(all_first, gap.end) - (gap.end - gap.begin);
                if (all_end > gap.begin) all_end = max_of(all_end, gap.end) - (gap.end - gap.begin);
            }
        }
        const int count = max_of(all_end - all_first, 0);
        first = all_first + static_cast<int>(static_cast<std::int64_t>(count) * split / splits);
        end = all_first + static_cast<int>(static_cast<std::int64_t>(count) * (split + 1) / splits);
    }

    LONGBOW_DEVICE Gap gap_of(const Scores& scores, int first_row) const {
        return {call.places.sinks, call.places.sinks > 0 ? scores.first_key(first_row) : 0, Shape::kKeys};
    }

    LONGBOW_DEVICE static void clear(State& state) {
        LONGBOW_UNROLL
        for (auto& sums : state.out) {
            LONGBOW_UNROLL
            for (float& sum : sums) sum = 0.0f;
        }
        LONGBOW_UNROLL
        for (int r = 0; r < 2; ++r) state.row_max[r] = -infinity(), state.sum[r] = 0.0f;
    }

    LONGBOW_DEVICE void attend(State& state, const Scores& scores, const Lane& lane, int batch, int head, int first_row,
                               int first_tile, int end_tile) const {
        constexpr int kQueryFragments = Shape::kQueriesInRegisters ? kDim / 16 : 1;
        const Tile<T, kDim> k_tile{device::shared_memory()};
        const Tile<T, kDim> v_tile{k_tile.base + Shape::kKeyBytes};
        const Tile<T, kDim> q_tile{v_tile.base + (Shape::kQueriesInRegisters ? 0 : Shape::kKeyBytes)};
        // Both forms are the same head. Each is the one with which ptxas spills no register of its types.
        const int kv_head = Shape::kHalf && call.kv_heads > 0 ? head / (call.heads / call.kv_heads)
                            : Shape::kHalf                    ? head
                                                              : kv_head_of(call, head);
        const Matrix<T> q(call.q, batch, head), k(call.k, batch, kv_head), v(call.v, batch, kv_head);
        const Dropout dropout(call, batch, head);
        const int warp_row = first_row + 16 * lane.warp;

        const auto key_of = [&](int tile) {
            if constexpr (kPlaces) {
                return gap_of(scores, first_row).tile(tile) * Shape::kKeys;
            } else {
                return tile * Shape::kKeys;
            }
        };

        start_loading<Shape::kRows, kThreads>(q_tile, q, first_row, scores.queries, call.head_dim);
        start_loading<Shape::kKeys, kThreads>(k_tile, k, key_of(end_tile - 1), scores.keys, call.head_dim);
        device::commit_copies();

        typename Math::A queries[kQueryFragments];
        if (Shape::kQueriesInRegisters) {
            device::wait_copies<0>();
            device::sync();
            LONGBOW_UNROLL
            for (int d = 0; d < kQueryFragments; ++d) Math::load(queries[d], q_tile, lane, 16 * lane.warp, 16 * d);
        }
        for (int tile = end_tile - 1; tile >= first_tile; --tile) {
            const int key = key_of(tile);
            device::wait_copies<0>();
            // This tile's keys have arrived, and no thread still reads the last tile's values (at first: the queries).
            device::sync();
            start_loading<Shape::kKeys, kThreads>(v_tile, v, key, scores.keys, call.head_dim);
            device::commit_copies();

            float x[kKeyTiles][4];
            products(x, queries, q_tile, k_tile, lane);
            // It is made for each tile, as its pointers would take registers.
            const HeadPlaces head_places(call, places, static_cast<std::int64_t>(batch) * call.heads + head);
            const Elements<kPlaces, !Shape::kHalf, false, kKeyTiles> elements(scores, head_places, warp_row + lane.g,
                                                                              key + 2 * lane.t);
            elements.apply(x, scores.kind(first_row, Shape::kRows, key, Shape::kKeys), warp_row + lane.g);
            update_softmax(x, state);
            if (dropout.active()) drop(x, dropout.mask_of_query_rows<kKeyTiles>(lane, warp_row, key));

            device::wait_copies<0>();
            device::sync();  // this tile's values have arrived, and no thread still reads its keys
            if (tile > first_tile) {
                const int next = kPlaces ? key_of(tile - 1) : key - Shape::kKeys;
                start_loading<Shape::kKeys, kThreads>(k_tile, k, next, scores.keys, call.head_dim);
                device::commit_copies();
            }
            LONGBOW_UNROLL
            for (int j = 0; j < kKeyTiles / 2; ++j) {
                typename Math::A a;
                Math::round(a, x[2 * j], x[2 * j + 1]);
                LONGBOW_UNROLL
                for (int d = 0; d < kDim / 16; ++d) {
                    typename Math::B2 b;
                    Math::load_columns(b, v_tile, lane, 16 * j, 16 * d);
                    Math::multiply(state.out[2 * d], state.out[2 * d + 1], a, b);
                }
            }
        }
    }

    template <int kQueryFragments>
    LONGBOW_DEVICE static void products(float (&x)[kKeyTiles][4], const typename Math::A (&queries)[kQueryFragments],
                                        const Tile<T, kDim>& q_tile, const Tile<T, kDim>& k_tile, const Lane& lane) {
        LONGBOW_UNROLL
        for (auto& sums : x) {
            LONGBOW_UNROLL
            for (float& sum : sums) sum = 0.0f;
        }
        LONGBOW_UNROLL
        for (int d = 0; d < kDim / 16; ++d) {
            typename Math::A a;
            if (Shape::kQueriesInRegisters) {
                a = queries[kQueryFragments > 1 ? d : 0];
            } else {
                Math::load(a, q_tile, lane, 16 * lane.warp, 16 * d);
            }
            LONGBOW_UNROLL
            for (int n = 0; n < kKeyTiles / 2; ++n) {
                typename Math::B2 b;
                Math::load_rows(b, k_tile, lane, 16 * n, 16 * d);
                Math::multiply(x[2 * n], x[2 * n + 1], a, b);
            }
        }
    }

    // Replaces scores by probabilities relative to the highest score so far, and rescales what is summed already to the
    // new highest.
    LONGBOW_DEVICE static void update_softmax(float (&x)[kKeyTiles][4], State& state) {
        LONGBOW_UNROLL
        for (int r = 0; r < 2; ++r) {
            float row_max = state.row_max[r];
            LONGBOW_UNROLL
            for (int n = 0; n < kKeyTiles; ++n) row_max = fmaxf(row_max, fmaxf(x[n][2 * r], x[n][2 * r + 1]));
            row_max = fmaxf(row_max, device::shuffle_xor(row_max, 1));
            row_max = fmaxf(row_max, device::shuffle_xor(row_max, 2));
            const float base = row_max == -infinity() ? 0.0f : row_max;  // without a key yet, exp2(-inf - 0) = 0
            const float rescale = device::exp2_fast(state.row_max[r] - base);
            state.row_max[r] = row_max;
            float sum = state.sum[r] * rescale;
            LONGBOW_UNROLL
            for (int n = 0; n < kKeyTiles; ++n) {
                LONGBOW_UNROLL
                for (int e = 0; e < 2; ++e) {
                    x[n][2 * r + e] = device::exp2_fast(x[n][2 * r + e] - base);
                    sum += x[n][2 * r + e];
                }
            }
            state.sum[r] = sum;
            LONGBOW_UNROLL
            for (auto& sums : state.out) sums[2 * r] *= rescale, sums[2 * r + 1] *= rescale;
        }
    }

    LONGBOW_DEVICE static void drop(float (&x)[kKeyTiles][4], std::uint32_t mask) {
        LONGBOW_UNROLL
        for (int n = 0; n < kKeyTiles; ++n) {
            LONGBOW_UNROLL
            for (int j = 0; j < 4; ++j) x[n][j] = (mask >> (4 * n + j) & 1u) != 0 ? x[n][j] : 0.0f;
        }
    }

    LONGBOW_DEVICE void finish(State& state, const Scores& scores, const Lane& lane, int batch, int head, int first_row,
                               int split) const {
        const Dropout dropout(call, batch, head);
        const int warp_row = first_row + 16 * lane.warp;
        const std::int64_t part = (static_cast<std::int64_t>(batch) * call.heads + head) * splits + split;
        float* const lse = (splits > 1 ? partial_lse : call.lse) + part * call.query_length;
        float factor[2];
        LONGBOW_UNROLL
        for (int r = 0; r < 2; ++r) {
            float sum = state.sum[r];
            sum += device::shuffle_xor(sum, 1);
            sum += device::shuffle_xor(sum, 2);
            const int row = warp_row + lane.g + 8 * r;
            // A NaN in the sum is not zero: a row that has met one shows it, as the CPU's kernels do.
            const bool any = row < scores.queries && sum != 0.0f;
            factor[r] = any ? dropout.factor() / sum : 0.0f;
            if (lane.t == 0 && row < call.query_length)
                lse[row] = any ? state.row_max[r] * kLn2 + logf(sum) : -infinity();
        }
        if (splits == 1) {
            store_rows(Matrix<T>(call.out, batch, head), state.out, factor, lane, warp_row, call.query_length, 0,
                       call.head_dim);
        } else {
            longbow_tensor4 parts{partial, 0, 0, call.head_dim};
            Matrix<float> to(parts, 0, 0);
            to.data += part * call.query_length * call.head_dim;
            store_rows(to, state.out, factor, lane, warp_row, call.query_length, 0, call.head_dim);
        }
    }
};

}  // namespace longbow::cuda
