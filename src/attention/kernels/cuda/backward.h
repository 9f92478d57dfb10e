// The CUDA backward pass: two kernels from one source, which run one after the other. No block adds to what another
// writes, so the same inputs give the same bits. A block keeps two operands of a tile of rows and walks over tiles of
// columns, each with two operands:
//   keys:    rows are keys, columns queries;  S^T = K Q^T, dP^T = V dO^T;  dV += P^T dO, dK += dS^T Q
//   queries: rows are queries, columns keys;  S = Q K^T,   dP = dO V^T;    dQ += dS K
// A block of keys walks once for each head of q that its head of k and v serves, in the heads' order.
// P and dS thus go from registers straight into the last products. The next columns are copied while the current ones
// are worked on, if shared memory has room for both.
#pragma once

#include "dropout.h"
#include "launch.h"
#include "place_scores.h"
#include "row_terms.h"
#include "scores.h"

namespace longbow::cuda {

// Sizes of a block's tiles, chosen as in forward.h. kStages is the number of column tiles that shared memory holds.
template <class T, int kDim, bool kKeyRows>
struct BackwardShape {
    static constexpr bool kHalf = sizeof(T) == 2;
    static constexpr int kWarps = !kHalf && kDim > 128 ? 1 : 4;
    static constexpr int kRows = 16 * kWarps;
    static constexpr int kColumns = kHalf ? (kDim <= 64 ? 64 : kDim <= 128 ? 32 : 16) : (kDim <= 64 ? 32 : 16);
    static constexpr int kStages = kHalf ? (kDim <= 128 ? 2 : 1) : (kDim <= 64 ? 2 : 1);
    // Two gradients of 256 columns do not fit into registers, so each block computes half of the columns.
    static constexpr int kParts = kKeyRows && kDim > 128 ? 2 : 1;
    static constexpr int kOutColumns = kDim / kParts;
    static constexpr int kRowBytes = kRows * Tile<T, kDim>::kRowBytes;
    static constexpr int kColumnBytes = kColumns * Tile<T, kDim>::kRowBytes;
    static constexpr int kTermBytes = kKeyRows ? 4 * kColumns : 0;  // bytes of lse; delta takes as many
    static constexpr int kStageBytes = 2 * kColumnBytes + 2 * kTermBytes;
    static constexpr int kSharedBytes = 2 * kRowBytes + kStages * kStageBytes;
};

// kPlaces: the kernel for a bias with parts by place, which also computes the gradients of these.
template <class T, int kDim, bool kKeyRows, bool kPlaces>
struct BackwardKernel {
    using Shape = BackwardShape<T, kDim, kKeyRows>;
    using Math = Products<T>;
    using Operand = Tile<T, kDim>;
    static constexpr int kThreads = 32 * Shape::kWarps;
    static constexpr int kBlocks = kPlaces ? 1 : 0;  // with 0, ptxas spills a register to fit three blocks
    static constexpr int kSharedBytes = Shape::kSharedBytes;
    static constexpr int kTiles = Shape::kColumns / 8;
    static constexpr int kOutTiles = Shape::kOutColumns / 8;

    longbow_attention call;
    const float* lse;  // from RowTermsKernel, as delta
    const float* delta;
    float* slope_parts;  // for queries only: [batch, heads, row blocks], parts of the slopes' gradient; or null
    std::conditional_t<kPlaces, PlaceArrays, NoPlaces> places;

    static Grid grid(const longbow_attention& call) {
        const int rows = kKeyRows ? call.key_length : call.query_length;
        const int heads = kKeyRows && call.kv_heads > 0 ? call.kv_heads : call.heads;
        return {(rows + Shape::kRows - 1) / Shape::kRows * Shape::kParts, heads, call.batch};
    }

    struct Sums {
        float first[kOutTiles][4];                  // dK or dQ
        float second[kKeyRows ? kOutTiles : 1][4];  // dV
        float moment;                               // sum of dS * |distance|
        std::conditional_t<kPlaces, PlaceSums, NoPlaceSums> places;
    };

    struct Place {
        int batch, head, kv_head, first_row, first_column;  // first_column: of the gradient
        std::int64_t head_index;
    };

    LONGBOW_DEVICE void operator()() const {
        const Lane lane;
        const int blocks = device::blocks_x() / Shape::kParts;
        const int nth = device::block_x() / Shape::kParts;
        const int block = kKeyRows ? nth : blocks - 1 - nth;  // the blocks that see most start first
        Place place{};
        place.batch = device::block_z();
        place.first_row = block * Shape::kRows;
        place.first_column = device::block_x() % Shape::kParts * Shape::kOutColumns;

        Sums sums;
        LONGBOW_UNROLL
        for (auto& sum : sums.first) sum[0] = sum[1] = sum[2] = sum[3] = 0.0f;
        LONGBOW_UNROLL
        for (auto& sum : sums.second) sum[0] = sum[1] = sum[2] = sum[3] = 0.0f;
        sums.moment = 0.0f;
        sums.places.clear();
        Progress progress{0, false};
        if constexpr (kKeyRows) {
            place.kv_head = device::block_y();
            for (int i = 0; i < call.kv_group; ++i) {
                attend(sums, lane, place, place.kv_head * call.kv_group + i, progress);
                if constexpr (kPlaces) finish_places(sums, lane, place);
            }
        } else {
            place.kv_head = kv_head_of(call, device::block_y());
            attend(sums, lane, place, device::block_y(), progress);
            if constexpr (kPlaces) finish_places(sums, lane, place);
        }
        finish(sums, lane, place, block, blocks);
    }

private:
    // Where the walk of the last head has ended. The next one begins in the other stage, which no thread still reads.
    struct Progress {
        int stage;
        bool has_rows;  // whether the rows have been copied: all heads of the walk have the same
    };

    LONGBOW_DEVICE void attend(Sums& sums, const Lane& lane, Place& place, int head, Progress& progress) const {
        place.head = head;
        place.head_index = static_cast<std::int64_t>(place.batch) * call.heads + head;
        walk(sums, Scores(call, place.batch, head), lane, place, progress);
    }

    LONGBOW_DEVICE void column_range(int& first, int& end, const Scores& scores, const Place& place) const {
        const int last_row = min_of(place.first_row + Shape::kRows, kKeyRows ? scores.keys : scores.queries) - 1;
        first = end = 0;
        if (last_row < place.first_row) return;
        // Sinks are seen by the queries that are beyond the window too.
        const bool sinks = kPlaces && call.places.sinks > (kKeyRows ? place.first_row : 0);
        const int from =
            kKeyRows ? scores.first_query(place.first_row) : (sinks ? 0 : scores.first_key(place.first_row));
        const int to = kKeyRows ? (sinks ? scores.queries : scores.end_query(last_row)) : scores.end_key(last_row);
        first = from / Shape::kColumns;
        end = (to + Shape::kColumns - 1) / Shape::kColumns;
    }

    // Returns the next tile of columns, from `tile` on, that neither the skip table nor the window leaves out.
    LONGBOW_DEVICE int visible_from(int tile, int end, const Scores& scores, const Place& place) const {
        tile = needed_from(tile, end, place);
        if constexpr (kPlaces && !kKeyRows) {
            if (call.places.sinks > 0) {
                const Gap gap(call.places.sinks, scores.first_key(place.first_row), Shape::kColumns);
                if (tile >= gap.begin && tile < gap.end) tile = gap.end;
            }
        }
        return tile;
    }

    LONGBOW_DEVICE int needed_from(int tile, int end, const Place& place) const {
        if (call.first_key_block == nullptr) return tile;
        const std::int64_t query_blocks = (call.query_length + kSkipBlock - 1) / kSkipBlock;
        const std::int32_t* const first = call.first_key_block + place.head_index * query_blocks;
        if constexpr (kKeyRows) {
            while (tile < end && first[tile * Shape::kColumns / kSkipBlock] > place.first_row / kSkipBlock) ++tile;
            return tile;
        } else {
            return max_of(tile, first[place.first_row / kSkipBlock] * (kSkipBlock / Shape::kColumns));
        }
    }

    LONGBOW_DEVICE void start_columns(int tile, int stage, const Scores& scores, const Place& place) const {
        const int head = kKeyRows ? place.head : place.kv_head;
        const Matrix<T> a(kKeyRows ? call.q : call.k, place.batch, head),
            b(kKeyRows ? call.dout : call.v, place.batch, head);
        const int first = tile * Shape::kColumns;
        const int limit = kKeyRows ? scores.queries : scores.keys;
        start_loading<Shape::kColumns, kThreads>(column_tile(stage, 0), a, first, limit, call.head_dim);
        start_loading<Shape::kColumns, kThreads>(column_tile(stage, 1), b, first, limit, call.head_dim);
        if (kKeyRows && device::thread() < Shape::kColumns / 2) {
            constexpr int kChunks = Shape::kColumns / 4;  // 4 floats each; one set for lse, one for delta
            const int chunk = device::thread() % kChunks;
            const float* const from = device::thread() < kChunks ? lse : delta;
            device::copy16(terms(stage) + static_cast<std::uint32_t>(device::thread() * 16),
                           from + place.head_index * padded_rows_on_device(call) + first + 4 * chunk, true);
        }
        device::commit_copies();
    }

    LONGBOW_DEVICE static Operand row_tile(int which) {
        return Operand{device::shared_memory() + static_cast<std::uint32_t>(which * Shape::kRowBytes)};
    }
    LONGBOW_DEVICE static device::SharedAddress stage_at(int stage) {
        return device::shared_memory() + static_cast<std::uint32_t>(2 * Shape::kRowBytes + stage * Shape::kStageBytes);
    }
    LONGBOW_DEVICE static Operand column_tile(int stage, int which) {
        return Operand{stage_at(stage) + static_cast<std::uint32_t>(which * Shape::kColumnBytes)};
    }
    LONGBOW_DEVICE static device::SharedAddress terms(int stage) { return stage_at(stage) + 2 * Shape::kColumnBytes; }

    LONGBOW_DEVICE void walk(Sums& sums, const Scores& scores, const Lane& lane, const Place& place,
                             Progress& progress) const {
        int tile, end;
        column_range(tile, end, scores, place);
        tile = visible_from(tile, end, scores, place);
        if (tile >= end) return;
        if (!progress.has_rows) load_rows(scores, place);
        progress.has_rows = true;
        int stage = progress.stage;
        start_columns(tile, stage, scores, place);

        float row_lse[2] = {}, row_delta[2] = {};
        if (!kKeyRows) {
            LONGBOW_UNROLL
            for (int r = 0; r < 2; ++r) {
                const std::int64_t at =
                    place.head_index * padded_rows_on_device(call) + place.first_row + 16 * lane.warp + lane.g + 8 * r;
                row_lse[r] = lse[at], row_delta[r] = delta[at];
            }
        }
        while (tile < end) {
            device::wait_copies<0>();
            device::sync();  // all threads' copies have arrived; no thread still reads the other stage
            const int next = visible_from(tile + 1, end, scores, place);
            if (Shape::kStages == 2 && next < end) start_columns(next, 1 - stage, scores, place);
            add_tile(sums, scores, lane, place, tile, stage, row_lse, row_delta);
            if (Shape::kStages == 1) {
                device::sync();  // no thread still reads these columns
                if (next < end) start_columns(next, 0, scores, place);
            } else {
                stage = 1 - stage;
            }
            tile = next;
        }
        progress.stage = stage;
    }

    LONGBOW_DEVICE void load_rows(const Scores& scores, const Place& place) const {
        const int limit = kKeyRows ? scores.keys : scores.queries;
        const int head = kKeyRows ? place.kv_head : place.head;
        const Matrix<T> a(kKeyRows ? call.k : call.q, place.batch, head),
            b(kKeyRows ? call.v : call.dout, place.batch, head);
        start_loading<Shape::kRows, kThreads>(row_tile(0), a, place.first_row, limit, call.head_dim);
        start_loading<Shape::kRows, kThreads>(row_tile(1), b, place.first_row, limit, call.head_dim);
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

    // Adds x * columns[:, first ..] to sums.
    LONGBOW_DEVICE static void add_products(float (&sums)[kOutTiles][4], const float (&x)[kTiles][4],
                                            const Operand& columns, int first, const Lane& lane) {
        LONGBOW_UNROLL
        for (int j = 0; j < kTiles / 2; ++j) {
            typename Math::A a;
            Math::round(a, x[2 * j], x[2 * j + 1]);
            LONGBOW_UNROLL
            for (int d = 0; d < kOutTiles / 2; ++d) {
                typename Math::B2 b;
                Math::load_columns(b, columns, lane, 16 * j, first + 16 * d);
                Math::multiply(sums[2 * d], sums[2 * d + 1], a, b);
            }
        }
    }

    LONGBOW_DEVICE void add_tile(Sums& sums, const Scores& scores, const Lane& lane, const Place& place, int tile,
                                 int stage, const float (&row_lse)[2], const float (&row_delta)[2]) const {
        const int column = tile * Shape::kColumns;
        const int row = place.first_row + 16 * lane.warp;
        const Operand a = column_tile(stage, 0), b = column_tile(stage, 1);
        float p[kTiles][4], ds[kTiles][4];
        products(p, row_tile(0), a, lane);
        const HeadPlaces head_places(call, places, place.head_index);
        const Elements<kPlaces, !Shape::kHalf, kKeyRows, kTiles> elements(scores, head_places, row + lane.g,
                                                                          column + 2 * lane.t);
        const TileKind kind = kKeyRows ? scores.kind(column, Shape::kColumns, place.first_row, Shape::kRows)
                                       : scores.kind(place.first_row, Shape::kRows, column, Shape::kColumns);
        elements.apply(p, kind, row + lane.g);
        products(ds, row_tile(1), b, lane);

        const Dropout dropout(call, place.batch, place.head);
        std::uint32_t kept = ~0u;
        if (dropout.active()) {
            kept = kKeyRows ? dropout.template mask_of_key_rows<kTiles>(lane, column, row)
                            : dropout.template mask_of_query_rows<kTiles>(lane, row, column);
        }
        LONGBOW_UNROLL
        for (int n = 0; n < kTiles; ++n) {
            float column_lse[2] = {}, column_delta[2] = {};
            if (kKeyRows) {
                const device::SharedAddress at = terms(stage) + static_cast<std::uint32_t>(4 * (8 * n + 2 * lane.t));
                device::load_shared2(column_lse[0], column_lse[1], at);
                device::load_shared2(column_delta[0], column_delta[1], at + Shape::kTermBytes);
            }
            LONGBOW_UNROLL
            for (int j = 0; j < 4; ++j) {
                const bool keep = (kept >> (4 * n + j) & 1u) != 0;
                const float probability = device::exp2_fast(p[n][j] - (kKeyRows ? column_lse[j & 1] : row_lse[j >> 1]));
                const float dp = keep ? ds[n][j] * dropout.factor() : 0.0f;
                ds[n][j] = probability * (dp - (kKeyRows ? column_delta[j & 1] : row_delta[j >> 1]));
                p[n][j] = keep ? probability : 0.0f;
            }
        }
        if constexpr (kPlaces) {
            const bool moments = kKeyRows ? call.places.dkey_slopes != nullptr
                                          : call.places.dquery_slopes != nullptr || slope_parts != nullptr;
            elements.add_sums(sums.places, ds, moments);
        }
        if constexpr (kKeyRows) {
            add_products(sums.second, p, b, place.first_column, lane);
        } else if constexpr (!kPlaces) {
            if (slope_parts != nullptr) sums.moment += elements.distance_moment(ds);
        }
        add_products(sums.first, ds, a, place.first_column, lane);
    }

    // Writes the gradients of the rows' terms and slopes for one head of queries, and begins the next one's.
    LONGBOW_DEVICE void finish_places(Sums& sums, const Lane& lane, const Place& place) const {
        const longbow_places& to = call.places;
        double* const terms = kKeyRows ? to.dcolumn : to.drow;
        double* const slopes = kKeyRows ? to.dkey_slopes : to.dquery_slopes;
        const int rows = kKeyRows ? call.key_length : call.query_length;
        if (!kKeyRows) sums.moment = sums.places.moment[0] + sums.places.moment[1];
        LONGBOW_UNROLL
        for (int r = 0; r < 2; ++r) {
            LongSum total = sums.places.total[r], moment{sums.places.moment[r], 0.0f};
            total.add_lanes();
            moment.add_lanes();
            const int row = place.first_row + 16 * lane.warp + lane.g + 8 * r;
            if (lane.t != 0 || row >= rows || place.first_column != 0) continue;
            const std::int64_t at = place.head_index * rows + row;
            if (terms != nullptr) terms[at] = total.value();
            if (slopes != nullptr) slopes[at] = -moment.value();
        }
        if (!device::fault_planted(device::PlantedFault::kept_sums)) sums.places.clear();
    }

    LONGBOW_DEVICE void finish(const Sums& sums, const Lane& lane, const Place& place, int block, int blocks) const {
        const int row = place.first_row + 16 * lane.warp;
        const float scale[2] = {call.scale, call.scale};
        const int rows = kKeyRows ? call.key_length : call.query_length;
        if (const longbow_tensor4& first = kKeyRows ? call.dk : call.dq; first.data != nullptr) {
            store_rows(Matrix<T>(first, place.batch, kKeyRows ? place.kv_head : place.head), sums.first, scale, lane,
                       row, rows, place.first_column, call.head_dim);
        }
        if constexpr (kKeyRows) {
            const float factor = Dropout(call, place.batch, place.head).factor();
            const float factors[2] = {factor, factor};
            if (call.dv.data != nullptr) {
                store_rows(Matrix<T>(call.dv, place.batch, place.kv_head), sums.second, factors, lane, row, rows,
                           place.first_column, call.head_dim);
            }
        } else if (slope_parts != nullptr) {
            float moment = sums.moment;
            LONGBOW_UNROLL
            for (int mask = 16; mask > 0; mask /= 2) moment += device::shuffle_xor(moment, mask);
            device::sync();  // no thread still reads the tiles, whose memory now takes the warps' sums
            const device::SharedAddress at = device::shared_memory();
            if (lane.lane == 0) device::store_shared(at + static_cast<std::uint32_t>(4 * lane.warp), moment);
            device::sync();
            if (device::thread() == 0) {
                float sum = 0.0f;
                for (int warp = 0; warp < Shape::kWarps; ++warp)
                    sum += device::load_shared(at + static_cast<std::uint32_t>(4 * warp));
                slope_parts[place.head_index * blocks + block] = -sum;
            }
        }
    }
};

}  // namespace longbow::cuda
