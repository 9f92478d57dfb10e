// Says what a query sees and makes scores from products: positions, causality, window, lengths, bias. Scores are in
// base 2, so that a probability takes one ex2 instruction. Distances are whole numbers in fp32 (exact below 2^24) and
// always differences of positions: slope * (i - j) is accurate at any length, slope * i - slope * j is not.
#pragma once

#include "fragments.h"
#include "tiles.h"

namespace longbow::cuda {

constexpr float kLog2E = 1.4426950408889634f;
constexpr float kLn2 = 0.6931471805599453f;
constexpr int kSkipBlock = LONGBOW_BLOCK;

LONGBOW_DEVICE int min_of(int a, int b) { return a < b ? a : b; }
LONGBOW_DEVICE int max_of(int a, int b) { return a > b ? a : b; }
LONGBOW_DEVICE float infinity() { return device::float_of(0x7F800000u); }

// The head of k and v that serves this head of q.
LONGBOW_DEVICE int kv_head_of(const longbow_attention& call, int head) {
    if (call.kv_factor == 0) return head;
    return static_cast<int>(static_cast<std::uint64_t>(static_cast<std::uint32_t>(head)) * call.kv_factor >> 32);
}

// How a tile lies relative to the masks and the diagonal.
struct TileKind {
    bool whole;  // every query sees every key, and all keys lie on one side of the queries
    float side;  // +1: keys at or before the queries; -1: at or after them
};

struct Scores {
    float scale, slope;  // include the factor log2(e)
    const float* table;  // of this head; null: none
    int table_last;
    int offset;         // key position of query 0
    int queries, keys;  // counts without those beyond the lengths
    int window;
    bool causal;

    LONGBOW_DEVICE Scores(const longbow_attention& call, int batch, int head)
        : scale(call.scale * kLog2E),
          slope(call.slopes != nullptr ? call.slopes[batch * call.slopes_batch + head] * kLog2E : 0.0f),
          table(call.table != nullptr ? call.table + static_cast<std::int64_t>(head) * call.table_length : nullptr),
          table_last(call.table_length - 1),
          offset(call.key_length - call.query_length),
          queries(call.query_length),
          keys(call.key_length),
          window(call.window),
          causal(call.causal != 0) {
        if (call.lengths != nullptr) {
            keys = min_of(keys, max_of(call.lengths[batch], 0));
            queries = min_of(queries, max_of(keys - offset, 0));
        }
    }

    // Return the keys [first, end) that any query of rows first_query .. last_query sees by causality, window and
    // lengths. The skip table is applied by the kernels.
    LONGBOW_DEVICE int first_key(int first_query) const {
        return window > 0 ? max_of(first_query + offset - window + 1, 0) : 0;
    }
    LONGBOW_DEVICE int end_key(int last_query) const {
        const int bound = last_query + offset + (device::fault_planted(device::PlantedFault::causal_bound) ? 2 : 1);
        return causal ? max_of(min_of(keys, bound), 0) : keys;
    }
    // Return the queries [first, end) that see any key of first_key .. last_key.
    LONGBOW_DEVICE int first_query(int first_key) const { return causal ? max_of(first_key - offset, 0) : 0; }
    LONGBOW_DEVICE int end_query(int last_key) const {
        return window > 0 ? max_of(min_of(queries, last_key + window - offset), 0) : queries;
    }

    // Returns the kind of a tile; `query` and `key` are the indices of its first query and key.
    LONGBOW_DEVICE TileKind kind(int query, int query_count, int key, int key_count) const {
        const int first = query + offset;
        const int last = first + query_count - 1;
        const int last_key = key + key_count - 1;
        const bool before = last_key <= first;
        const bool after = key >= last && !causal;
        return {last_key < keys && (before || after) && (window == 0 || last - key < window), before ? 1.0f : -1.0f};
    }
};

// The elements of one warp's sums: 16 rows by 8 * kTiles columns. With kKeyRows, rows are keys and columns queries (S
// transposed).
template <bool kExact, bool kKeyRows, int kTiles>
struct ScoreTile {
    const Scores& scores;
    int distance[2];  // query position - key position at column 0, for this lane's two rows

    // row and column are indices of queries and keys (not positions), of this lane's first element.
    LONGBOW_DEVICE ScoreTile(const Scores& s, int row, int column) : scores(s) {
        LONGBOW_UNROLL
        for (int r = 0; r < 2; ++r) {
            distance[r] = kKeyRows ? column + s.offset - (row + 8 * r) : row + 8 * r + s.offset - column;
        }
    }
    static LONGBOW_DEVICE constexpr int step(int n, int e) { return kKeyRows ? 8 * n + e : -(8 * n + e); }

    // Replaces products by scores, -inf where masked; `row` is this lane's first row.
    LONGBOW_DEVICE void apply(float (&x)[kTiles][4], const TileKind& kind, int row) const {
        float lowest[2], highest;
        bounds(lowest, highest, row);
        if (scores.table != nullptr) {
            with_table(x, lowest, highest);
        } else if (kind.whole) {
            in_whole_tile(x, scores.slope * kind.side);
        } else {
            masked(x, lowest, highest);
        }
    }

    // Returns the sum of d * |distance|: with d = dS, the gradient of -slope.
    LONGBOW_DEVICE float distance_moment(const float (&d)[kTiles][4]) const {
        float sum = 0.0f;
        LONGBOW_UNROLL
        for (int r = 0; r < 2; ++r) {
            const float start = static_cast<float>(distance[r]);
            LONGBOW_UNROLL
            for (int n = 0; n < kTiles; ++n) {
                LONGBOW_UNROLL
                for (int e = 0; e < 2; ++e) sum += d[n][2 * r + e] * fabsf(start + static_cast<float>(step(n, e)));
            }
        }
        return sum;
    }

private:
    // Sets the lowest and the highest distance that is seen. Where rows are queries, the last key also bounds the
    // distance from below; where rows are keys, a row beyond the last key gets a bound that no distance reaches.
    LONGBOW_DEVICE void bounds(float (&lowest)[2], float& highest, int row) const {
        const float least =
            scores.causal ? (device::fault_planted(device::PlantedFault::causal_bound) ? -1.0f : 0.0f) : -infinity();
        const int last_key = scores.keys - (device::fault_planted(device::PlantedFault::key_bound) ? 0 : 1);
        LONGBOW_UNROLL
        for (int r = 0; r < 2; ++r) {
            if (kKeyRows) {
                lowest[r] = row + 8 * r <= last_key ? least : infinity();
            } else {
                lowest[r] = fmaxf(least, static_cast<float>(row + 8 * r + scores.offset - last_key));
            }
        }
        const int reach = scores.window - (device::fault_planted(device::PlantedFault::window_bound) ? 0 : 1);
        highest = scores.window > 0 ? static_cast<float>(reach) : infinity();
    }

    LONGBOW_DEVICE void in_whole_tile(float (&x)[kTiles][4], float slope) const {
        LONGBOW_UNROLL
        for (int r = 0; r < 2; ++r) {
            const float start = static_cast<float>(distance[r]);
            const float bias = -slope * start;
            LONGBOW_UNROLL
            for (int n = 0; n < kTiles; ++n) {
                LONGBOW_UNROLL
                for (int e = 0; e < 2; ++e) {
                    // The fma saves an operation per element, but it rounds slope * start too. That adds an error of up
                    // to slope * (|distance| + 64) * 2^-24, which is nothing beside the rounding of probabilities to 16
                    // bits.
                    const float b = kExact ? -slope * (start + static_cast<float>(step(n, e)))
                                           : fmaf(-slope, static_cast<float>(step(n, e)), bias);
                    x[n][2 * r + e] = fmaf(x[n][2 * r + e], scores.scale, b);
                }
            }
        }
    }

    LONGBOW_DEVICE void masked(float (&x)[kTiles][4], const float (&lowest)[2], float highest) const {
        LONGBOW_UNROLL
        for (int r = 0; r < 2; ++r) {
            const float start = static_cast<float>(distance[r]);
            LONGBOW_UNROLL
            for (int n = 0; n < kTiles; ++n) {
                LONGBOW_UNROLL
                for (int e = 0; e < 2; ++e) {
                    const float d = start + static_cast<float>(step(n, e));
                    const float score = fmaf(x[n][2 * r + e], scores.scale, -scores.slope * fabsf(d));
                    x[n][2 * r + e] = d >= lowest[r] && d <= highest ? score : -infinity();
                }
            }
        }
    }

    LONGBOW_DEVICE void with_table(float (&x)[kTiles][4], const float (&lowest)[2], float highest) const {
        LONGBOW_UNROLL
        for (int r = 0; r < 2; ++r) {
            LONGBOW_UNROLL
            for (int n = 0; n < kTiles; ++n) {
                LONGBOW_UNROLL
                for (int e = 0; e < 2; ++e) {
                    const int d = distance[r] + step(n, e);
                    const int entry = min_of(d < 0 ? -d : d, scores.table_last);
                    const float score = fmaf(x[n][2 * r + e], scores.scale, scores.table[entry] * kLog2E);
                    const auto real = static_cast<float>(d);
                    x[n][2 * r + e] = real >= lowest[r] && real <= highest ? score : -infinity();
                }
            }
        }
    }
};

}  // namespace longbow::cuda
