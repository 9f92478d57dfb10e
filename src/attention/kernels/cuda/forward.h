// The CUDA forward pass. A block computes one tile of queries and walks over the visible tiles of keys, from the last
// (where ALiBi's weight lies, so that the maximum is found early) to the first that the window and the skip table
// leave. The online softmax works in base 2, and probabilities go from registers straight into the next product. The
// next tile of keys and values is copied while the current one is worked on, if shared memory has room for both.
#pragma once

#include "dropout.h"
#include "launch.h"
#include "scores.h"

namespace longbow::cuda {

// Sizes of a block's tiles. They shrink as head_dim grows, so that no register is spilled and a multiprocessor holds
// eight warps (tests/emulator/test_static_gates.py checks both). A warp with two tiles of 16 rows uses each operand
// that it loads from shared memory twice.
template <class T, int kDim_, int kWarps>
struct ForwardShape {
    static constexpr bool kHalf = sizeof(T) == 2;
    static constexpr int kRowTiles = kHalf && kWarps > 1 && kDim_ <= 64 ? 2 : 1;
    static constexpr int kWarpRows = 16 * kRowTiles;
    static constexpr int kRows = kWarpRows * kWarps;
    static constexpr int kKeys = kHalf ? (kDim_ <= 64 && kWarps > 1 ? 64 : kDim_ <= 128 ? 32 : 16)
                                       : (kDim_ <= 64 ? 32 : 16);
    static constexpr int kStages = kHalf || kDim_ <= 128 ? 2 : 1;
    // Whether queries stay in registers as fragments, which is possible where they fit beside the sums. Their shared
    // memory is then reused for the second stage.
    static constexpr bool kQueriesInRegisters = kDim_ <= (kHalf ? 128 : 64);
    using Operand = Tile<T, kDim_>;
    static constexpr int kQueryBytes = kRows * Operand::kRowBytes;
    static constexpr int kKeyBytes = kKeys * Operand::kRowBytes;
    static constexpr int kStageBytes = 2 * kKeyBytes;
    static_assert(!kQueriesInRegisters || (kStages == 2 && kQueryBytes <= kStageBytes));
    static constexpr int kSharedBytes = kStages * kStageBytes + (kQueriesInRegisters ? 0 : kQueryBytes);
};

// A plain kernel computes causal calls without window, distance table and dropout. It has a loop of its own for tiles
// in which nothing is masked, which are most of a long sequence's.
template <class T, int kDim, int kWarps, bool kPlain>
struct ForwardKernel {
    using Shape = ForwardShape<T, kDim, kWarps>;
    using Math = Products<T>;
    using Operand = typename Shape::Operand;
    static constexpr int kThreads = 32 * kWarps;
    static constexpr int kBlocks = 0;
    static constexpr int kSharedBytes = Shape::kSharedBytes;
    static constexpr int kRowTiles = Shape::kRowTiles;
    static constexpr bool kSplit = kWarps == 1;  // whether blocks may share the keys
    static constexpr int kKeyTiles = Shape::kKeys / 8;

    longbow_attention call;
    int splits;  // parts of the keys, each with its own block; with 1, call.out and call.lse are written directly
    // If splits > 1: [batch, heads, splits, query_length, head_dim], each part normalised by its own sum.
    float* partial;
    float* partial_lse;  // [batch, heads, splits, query_length], natural log

    struct State {
        float out[kRowTiles][kDim / 8][4];
        // Of this lane's two rows in each tile; sum holds this lane's part, and four lanes share a row.
        float row_max[kRowTiles][2], sum[kRowTiles][2];
    };

    struct Place {
        int batch, head, split, first_row, warp_row;
    };

    LONGBOW_DEVICE void operator()() const {
        const Lane lane;
        const Place place = place_of(lane);
        const Scores scores(call, place.batch, place.head);
        State state;
        clear(state);
        attend(state, scores, lane, place);
        finish(state);
    }

private:
    LONGBOW_DEVICE Place place_of(const Lane& lane) const {
        const int parts = kSplit ? splits : 1;
        const int blocks = device::blocks_x() / parts;
        Place place{};
        place.batch = device::block_y();
        place.head = call.heads - 1 - device::block_z();
        place.split = device::block_x() % parts;
        // The last rows see the most keys, so they start first.
        place.first_row = (blocks - 1 - device::block_x() / parts) * Shape::kRows;
        place.warp_row = place.first_row + Shape::kWarpRows * lane.warp;
        return place;
    }

    struct Range {
        int first, end;
    };

    // The tiles of keys that any of the rows sees, of all parts.
    LONGBOW_DEVICE Range visible_tiles(const Scores& scores, const Place& place, int first_row, int count) const {
        const int last_row = min_of(first_row + count, scores.queries) - 1;
        if (last_row < first_row) return {0, 0};
        int key = scores.first_key(first_row);
        if (call.first_key_block != nullptr) {
            const std::int64_t head_index = static_cast<std::int64_t>(place.batch) * call.heads + place.head;
            const std::int32_t* const first =
                call.first_key_block + head_index * ((call.query_length + kSkipBlock - 1) / kSkipBlock);
            int block = first[first_row / kSkipBlock];
            LONGBOW_UNROLL
            for (int row = kSkipBlock; row < Shape::kRows; row += kSkipBlock) {
                if (row < count && first_row + row <= last_row)
                    block = min_of(block, first[(first_row + row) / kSkipBlock]);
            }
            key = max_of(key, kSkipBlock * block);
        }
        const int first = key / Shape::kKeys;
        return {first, max_of((scores.end_key(last_row) + Shape::kKeys - 1) / Shape::kKeys, first)};
    }

    LONGBOW_DEVICE static void clear(State& state) {
        LONGBOW_UNROLL
        for (int m = 0; m < kRowTiles; ++m) {
            LONGBOW_UNROLL
            for (auto& sums : state.out[m]) sums[0] = sums[1] = sums[2] = sums[3] = 0.0f;
            LONGBOW_UNROLL
            for (int r = 0; r < 2; ++r) state.row_max[m][r] = kLowest, state.sum[m][r] = 0.0f;
        }
    }

    // A finite number, so that the difference from a masked score, -inf, is never that of two infinities.
    static constexpr float kLowest = -3.4028235e38f;

    enum class Masking { none, always, by_tile };

    // What a walk over tiles of keys needs, beside the state.
    struct Walk {
        const Scores& scores;
        const Lane& lane;
        const Place& place;
        Matrix<T> k, v;
        Range block, warp;  // tiles that the block visits; those of them that this warp's rows see
        typename Math::A queries[kRowTiles][Shape::kQueriesInRegisters ? kDim / 16 : 1];
        int tile;
    };

    LONGBOW_DEVICE static Operand key_tile(int stage) {
        return Operand{device::shared_memory() + static_cast<std::uint32_t>(stage * Shape::kStageBytes)};
    }
    LONGBOW_DEVICE static Operand value_tile(int stage) {
        return Operand{key_tile(stage).base + static_cast<std::uint32_t>(Shape::kKeyBytes)};
    }
    // The queries lie where the second tile of keys goes, or behind all stages.
    LONGBOW_DEVICE static Operand query_tile(int stage) {
        return key_tile(Shape::kQueriesInRegisters ? stage : Shape::kStages);
    }
    LONGBOW_DEVICE static int stage_of(int tile) { return Shape::kStages == 2 ? tile & 1 : 0; }

    // Starts copying the tile at which walk.k and walk.v point, which has `keys` keys, and moves them to the one before.
    LONGBOW_DEVICE void start_keys(Walk& walk, int stage, int keys) const {
        start_loading<Shape::kKeys, kThreads>(key_tile(stage), walk.k, 0, keys, call.head_dim);
        start_loading<Shape::kKeys, kThreads>(value_tile(stage), walk.v, 0, keys, call.head_dim);
        walk.k.data -= Shape::kKeys * walk.k.pitch;
        walk.v.data -= Shape::kKeys * walk.v.pitch;
        device::commit_copies();
    }

    LONGBOW_DEVICE void attend(State& state, const Scores& scores, const Lane& lane, const Place& place) const {
        Walk walk{scores,
                  lane,
                  place,
                  Matrix<T>(call.k, place.batch, place.head),
                  Matrix<T>(call.v, place.batch, place.head),
                  visible_tiles(scores, place, place.first_row, Shape::kRows),
                  visible_tiles(scores, place, place.warp_row, Shape::kWarpRows),
                  {},
                  0};
        if constexpr (kSplit) {
            const std::int64_t count = walk.block.end - walk.block.first;
            walk.block.end = walk.block.first + static_cast<int>(count * (place.split + 1) / splits);
            walk.block.first += static_cast<int>(count * place.split / splits);
        }
        if (walk.block.first >= walk.block.end) return;

        walk.tile = walk.block.end - 1;
        const Operand query_rows = query_tile(1 - stage_of(walk.tile));
        start_loading<Shape::kRows, kThreads>(query_rows, Matrix<T>(call.q, place.batch, place.head), place.first_row,
                                              scores.queries, call.head_dim);
        walk.k.data = walk.k.at(walk.tile * Shape::kKeys, 0);
        walk.v.data = walk.v.at(walk.tile * Shape::kKeys, 0);
        start_keys(walk, stage_of(walk.tile), scores.keys - walk.tile * Shape::kKeys);
        if constexpr (Shape::kQueriesInRegisters) {
            device::wait_copies<0>();
            device::sync();
            LONGBOW_UNROLL
            for (int m = 0; m < kRowTiles; ++m) {
                LONGBOW_UNROLL
                for (int d = 0; d < kDim / 16; ++d)
                    Math::load(walk.queries[m][d], query_rows, lane, Shape::kWarpRows * lane.warp + 16 * m, 16 * d);
            }
        }
        if constexpr (kPlain) {
            const int whole_end = max_of((place.first_row + scores.offset + 1) / Shape::kKeys, walk.block.first);
            LONGBOW_UNROLL_BY(1)
            while (walk.tile >= whole_end) visit<Masking::always>(state, walk);
            LONGBOW_UNROLL_BY(1)
            while (walk.tile >= walk.block.first) visit<Masking::none>(state, walk);
        } else {
            LONGBOW_UNROLL_BY(1)
            while (walk.tile >= walk.block.first) visit<Masking::by_tile>(state, walk);
        }
    }

    // Waits for the walk's tile, starts copying the next one, and adds the tile to the state.
    template <Masking kMasking>
    LONGBOW_DEVICE void visit(State& state, Walk& walk) const {
        device::wait_copies<0>();
        // This tile has arrived, and no thread still reads the other stage (at first: the queries).
        device::sync();
        const int tile = walk.tile--;
        const int stage = stage_of(tile);
        // The tiles that follow lie to the left of this one, so that they have all keys if this one has.
        constexpr int kAllKeys = 0x7FFFFFFF;
        const int keys = kMasking == Masking::none ? kAllKeys : walk.scores.keys - (tile - 1) * Shape::kKeys;
        if (Shape::kStages == 2) {
            if (tile > walk.block.first) start_keys(walk, 1 - stage, keys);
        }
        bool seen = tile >= walk.warp.first;
        if constexpr (kMasking == Masking::always) {
            const int last_position = walk.place.warp_row + Shape::kWarpRows - 1 + walk.scores.offset;
            seen = seen && tile * Shape::kKeys <= last_position;  // an end of the warp's range would be one register more
        } else if constexpr (kMasking == Masking::by_tile) {
            seen = seen && tile < walk.warp.end;
        }
        if (seen) add_tile<kMasking>(state, walk, tile, stage);
        if (Shape::kStages == 1) {
            device::sync();  // no thread still reads this tile
            if (tile > walk.block.first) start_keys(walk, 0, keys);
        }
    }

    template <Masking kMasking>
    LONGBOW_DEVICE void add_tile(State& state, const Walk& walk, int tile, int stage) const {
        const int key = tile * Shape::kKeys;
        float x[kRowTiles][kKeyTiles][4];
        products(x, walk, key_tile(stage));
        typename Math::A probabilities[kRowTiles][kKeyTiles / 2];
        LONGBOW_UNROLL
        for (int m = 0; m < kRowTiles; ++m) {
            const int row = walk.place.warp_row + 16 * m;
            const ScoreTile<!Shape::kHalf, false, kKeyTiles> elements(walk.scores, row + walk.lane.g,
                                                                     key + 2 * walk.lane.t);
            float offset[2] = {};
            if constexpr (kMasking == Masking::none) {
                elements.apply_whole(x[m], offset, 1.0f);
            } else if constexpr (kMasking == Masking::always) {
                elements.apply_masked(x[m], row + walk.lane.g);
            } else {
                elements.apply(x[m], offset, walk.scores.kind(row, 16, key, Shape::kKeys), row + walk.lane.g);
            }
            update_softmax(x[m], offset, state, m);
            if constexpr (!kPlain) {
                const Dropout dropout(call, walk.place.batch, walk.place.head);
                if (dropout.active())
                    drop(x[m], dropout.template mask_of_query_rows<kKeyTiles>(walk.lane, row, key));
            }
            LONGBOW_UNROLL
            for (int j = 0; j < kKeyTiles / 2; ++j) Math::round(probabilities[m][j], x[m][2 * j], x[m][2 * j + 1]);
        }
        LONGBOW_UNROLL
        for (int j = 0; j < kKeyTiles / 2; ++j) {
            LONGBOW_UNROLL
            for (int d = 0; d < kDim / 16; ++d) {
                typename Math::B2 b;
                Math::load_columns(b, value_tile(stage), walk.lane, 16 * j, 16 * d);
                LONGBOW_UNROLL
                for (int m = 0; m < kRowTiles; ++m)
                    Math::multiply(state.out[m][2 * d], state.out[m][2 * d + 1], probabilities[m][j], b);
            }
        }
    }

    LONGBOW_DEVICE static void products(float (&x)[kRowTiles][kKeyTiles][4], const Walk& walk, const Operand& keys) {
        LONGBOW_UNROLL
        for (auto& rows : x) {
            LONGBOW_UNROLL
            for (auto& sums : rows) sums[0] = sums[1] = sums[2] = sums[3] = 0.0f;
        }
        LONGBOW_UNROLL
        for (int d = 0; d < kDim / 16; ++d) {
            typename Math::A a[kRowTiles];
            LONGBOW_UNROLL
            for (int m = 0; m < kRowTiles; ++m) {
                if constexpr (Shape::kQueriesInRegisters) {
                    a[m] = walk.queries[m][d];
                } else {
                    Math::load(a[m], query_tile(0), walk.lane, Shape::kWarpRows * walk.lane.warp + 16 * m, 16 * d);
                }
            }
            LONGBOW_UNROLL
            for (int n = 0; n < kKeyTiles / 2; ++n) {
                typename Math::B2 b;
                Math::load_rows(b, keys, walk.lane, 16 * n, 16 * d);
                LONGBOW_UNROLL
                for (int m = 0; m < kRowTiles; ++m) Math::multiply(x[m][2 * n], x[m][2 * n + 1], a[m], b);
            }
        }
    }

    // Replaces scores x + offset by probabilities relative to the highest score so far, and rescales what is summed
    // already to the new highest.
    LONGBOW_DEVICE static void update_softmax(float (&x)[kKeyTiles][4], const float (&offset)[2], State& state, int m) {
        float rescale[2];
        LONGBOW_UNROLL
        for (int r = 0; r < 2; ++r) {
            float highest = fmaxf(x[0][2 * r], x[0][2 * r + 1]);
            LONGBOW_UNROLL
            for (int n = 1; n < kKeyTiles; ++n) highest = fmaxf(highest, fmaxf(x[n][2 * r], x[n][2 * r + 1]));
            highest += offset[r];  // lanes differ in the offset
            highest = fmaxf(highest, device::shuffle_xor(highest, 1));
            highest = fmaxf(highest, device::shuffle_xor(highest, 2));
            highest = fmaxf(highest, state.row_max[m][r]);
            rescale[r] = device::exp2_fast(state.row_max[m][r] - highest);
            state.row_max[m][r] = highest;
            const float base = highest - offset[r];
            float sum = state.sum[m][r] * rescale[r];
            LONGBOW_UNROLL
            for (int n = 0; n < kKeyTiles; ++n) {
                LONGBOW_UNROLL
                for (int e = 0; e < 2; ++e) {
                    x[n][2 * r + e] = device::exp2_fast(x[n][2 * r + e] - base);
                    sum += x[n][2 * r + e];
                }
            }
            state.sum[m][r] = sum;
        }
        // Under ALiBi the highest score lies near the diagonal, so that few tiles change it.
        if (!device::any(rescale[0] != 1.0f || rescale[1] != 1.0f)) return;
        LONGBOW_UNROLL
        for (auto& sums : state.out[m]) {
            sums[0] *= rescale[0], sums[1] *= rescale[0], sums[2] *= rescale[1], sums[3] *= rescale[1];
        }
    }

    LONGBOW_DEVICE static void drop(float (&x)[kKeyTiles][4], std::uint32_t mask) {
        LONGBOW_UNROLL
        for (int n = 0; n < kKeyTiles; ++n) {
            LONGBOW_UNROLL
            for (int j = 0; j < 4; ++j) x[n][j] = (mask >> (4 * n + j) & 1u) != 0 ? x[n][j] : 0.0f;
        }
    }

    LONGBOW_DEVICE void finish(State& state) const {
        const Lane lane;
        const Place place = place_of(lane);
        const Scores scores(call, place.batch, place.head);
        const Dropout dropout(call, place.batch, place.head);
        const std::int64_t head_index = static_cast<std::int64_t>(place.batch) * call.heads + place.head;
        const bool whole = !kSplit || splits == 1;
        const std::int64_t part = whole ? head_index : head_index * splits + place.split;
        float* const lse = (whole ? call.lse : partial_lse) + part * call.query_length;
        LONGBOW_UNROLL
        for (int m = 0; m < kRowTiles; ++m) {
            const int first = place.warp_row + 16 * m;
            float factor[2];
            LONGBOW_UNROLL
            for (int r = 0; r < 2; ++r) {
                float sum = state.sum[m][r];
                sum += device::shuffle_xor(sum, 1);
                sum += device::shuffle_xor(sum, 2);
                const int row = first + lane.g + 8 * r;
                // A NaN in the sum is not zero: a row that has met one shows it, as the CPU's kernels do.
                const bool any = row < scores.queries && sum != 0.0f;
                factor[r] = any ? dropout.factor() / sum : 0.0f;
                if (lane.t == 0 && row < call.query_length)
                    lse[row] = any ? state.row_max[m][r] * kLn2 + logf(sum) : -infinity();
            }
            if (whole) {
                store_rows(Matrix<T>(call.out, place.batch, place.head), state.out[m], factor, lane, first,
                           call.query_length, 0, call.head_dim);
            } else {
                longbow_tensor4 parts{partial, 0, 0, call.head_dim};
                Matrix<float> to(parts, 0, 0);
                to.data += part * call.query_length * call.head_dim;
                store_rows(to, state.out[m], factor, lane, first, call.query_length, 0, call.head_dim);
            }
        }
    }
};

}  // namespace longbow::cuda
