// Makes scores from products as ScoreTile of scores.h does, for a bias with parts by place (place_terms.h): terms and
// slopes of queries and keys, distances between given positions, sinks beside a window, and slopes beside a table.
// These parts are found at run time, so that one more kernel of each kind serves every sum of them.
#pragma once

#include "place_terms.h"

namespace longbow::cuda {

// What a kernel without parts by place has in the place of PlaceArrays.
struct NoPlaces {};

// The arrays of one head.
struct HeadPlaces {
    PlaceSide queries, keys;
    int sinks;

    LONGBOW_DEVICE HeadPlaces(const longbow_attention& call, const PlaceArrays& arrays, std::int64_t head_index)
        : queries(of_head(arrays.queries, head_index * padded_rows_on_device(call))),
          keys(of_head(arrays.keys, head_index * padded_keys_on_device(call))),
          sinks(call.places.sinks) {}
    LONGBOW_DEVICE HeadPlaces(const longbow_attention& /*call*/, const NoPlaces& /*arrays*/,
                              std::int64_t /*head_index*/)
        : queries{}, keys{}, sinks(0) {}

private:
    static LONGBOW_DEVICE std::int64_t padded_keys_on_device(const longbow_attention& call) {
        return static_cast<std::int64_t>((call.key_length + kRowPadding - 1) / kRowPadding) * kRowPadding;
    }
    static LONGBOW_DEVICE PlaceSide of_head(const PlaceSide& side, std::int64_t first) {
        return {side.terms != nullptr ? side.terms + first : nullptr,
                side.slopes != nullptr ? side.slopes + first : nullptr, side.positions};
    }
};

// The tiles of columns between the sinks and the window, which no row of a block sees. Without sinks there are none.
struct Gap {
    int begin, end;

    // `first_key` is the first key of the window of the first row; tiles are of `keys` keys.
    LONGBOW_DEVICE Gap(int sinks, int first_key, int keys)
        : begin((sinks + keys - 1) / keys -
                (sinks > 0 && device::fault_planted(device::PlantedFault::sink_gap) ? 1 : 0)),
          end(max_of(first_key / keys, begin)) {}
    // Returns the tile that is number `n` if those of the gap are not counted.
    LONGBOW_DEVICE int tile(int n) const { return n < begin ? n : n + (end - begin); }
};

// A sum of fp32 numbers with what its roundings have lost.
struct LongSum {
    float high, low;

    LONGBOW_DEVICE void add(float x) {
        const float sum = device::add_rounded(high, x);
        const float added = device::add_rounded(sum, -high);
        low += device::add_rounded(high, -device::add_rounded(sum, -added)) + device::add_rounded(x, -added);
        high = sum;
    }
    // Adds the sums of the four lanes that share a row.
    LONGBOW_DEVICE void add_lanes() {
        LONGBOW_UNROLL
        for (int mask = 1; mask < 4; mask *= 2) {
            const float other_high = device::shuffle_xor(high, mask), other_low = device::shuffle_xor(low, mask);
            add(other_high);
            low += other_low;
        }
    }
    [[nodiscard]] LONGBOW_DEVICE double value() const { return static_cast<double>(high) + static_cast<double>(low); }
};

// The sums of dS, and of dS * |distance|, over the columns of this lane's two rows. The second ones do without what
// their roundings lose, as ptxas would spill it in the largest kernel.
struct PlaceSums {
    LongSum total[2];
    float moment[2];

    LONGBOW_DEVICE void clear() {
        LONGBOW_UNROLL
        for (int r = 0; r < 2; ++r) total[r] = {0.0f, 0.0f}, moment[r] = 0.0f;
    }
};
struct NoPlaceSums {
    LONGBOW_DEVICE void clear() const {}
};

template <bool kKeyRows, int kTiles>
struct PlaceTile {
    const Scores& scores;
    const HeadPlaces& places;
    int row, column;
    int distance[2];  // as in ScoreTile

    LONGBOW_DEVICE PlaceTile(const Scores& s, const HeadPlaces& p, int first_row, int first_column)
        : scores(s), places(p), row(first_row), column(first_column) {
        LONGBOW_UNROLL
        for (int r = 0; r < 2; ++r) {
            distance[r] = kKeyRows ? column + s.offset - (row + 8 * r) : row + 8 * r + s.offset - column;
        }
    }
    static LONGBOW_DEVICE constexpr int step(int n, int e) { return kKeyRows ? 8 * n + e : -(8 * n + e); }

    // Replaces products by scores, -inf where masked.
    LONGBOW_DEVICE void apply(float (&x)[kTiles][4], const TileKind& kind) const {
        LONGBOW_UNROLL
        for (auto& scores_of_tile : x) {
            LONGBOW_UNROLL
            for (float& score : scores_of_tile) score *= scores.scale;
        }
        if (rows().terms != nullptr) add_terms(x);
        if (scores.slope != 0.0f || rows().slopes != nullptr) add_slopes(x);
        if (scores.table != nullptr) add_entries(x);
        // What is hidden stays so, whatever its terms are.
        if (!kind.whole) hide(x);
    }

    // Adds dS of this tile to the sums of the rows.
    LONGBOW_DEVICE void add_sums(PlaceSums& sums, const float (&d)[kTiles][4], bool moments) const {
        LONGBOW_UNROLL
        for (int r = 0; r < 2; ++r) {
            float sum = 0.0f;
            LONGBOW_UNROLL
            for (int n = 0; n < kTiles; ++n) sum += d[n][2 * r] + d[n][2 * r + 1];
            sums.total[r].add(sum);
        }
        if (!moments) return;
        float moment[2] = {0.0f, 0.0f};
        LONGBOW_UNROLL
        for (int n = 0; n < kTiles; ++n) {
            float far[2][2];
            distances(far, n);
            LONGBOW_UNROLL
            for (int r = 0; r < 2; ++r) moment[r] += d[n][2 * r] * far[r][0] + d[n][2 * r + 1] * far[r][1];
        }
        LONGBOW_UNROLL
        for (int r = 0; r < 2; ++r) sums.moment[r] += moment[r];
    }

    // Returns the table's entry of the whole part of the distance between two positions.
    static LONGBOW_DEVICE int entry(const Pair& a, const Pair& b, int table_last) {
        const float whole = a.high - b.high, rest = a.low - b.low;
        // A rest of the other sign takes something away from the whole.
        const float far = fabsf(whole) - (whole * rest < 0.0f ? 1.0f : 0.0f);
        return far < static_cast<float>(table_last) ? static_cast<int>(far) : table_last;
    }

private:
    LONGBOW_DEVICE const PlaceSide& rows() const { return kKeyRows ? places.keys : places.queries; }
    LONGBOW_DEVICE const PlaceSide& columns() const { return kKeyRows ? places.queries : places.keys; }

    LONGBOW_DEVICE void add_terms(float (&x)[kTiles][4]) const {
        Pair own[2];
        LONGBOW_UNROLL
        for (int r = 0; r < 2; ++r) own[r] = rows().terms[row + 8 * r];
        LONGBOW_UNROLL
        for (int n = 0; n < kTiles; ++n) {
            const auto other = *reinterpret_cast<const TwoPairs*>(columns().terms + column + 8 * n);
            LONGBOW_UNROLL
            for (int j = 0; j < 4; ++j) {
                const Pair a = own[j >> 1], b = other.pair[j & 1];
                const float low = device::fault_planted(device::PlantedFault::low_terms) ? 0.0f : a.low + b.low;
                x[n][j] += device::add_rounded(a.high, b.high) + low;
            }
        }
    }

    LONGBOW_DEVICE void add_slopes(float (&x)[kTiles][4]) const {
        float own[2] = {scores.slope, scores.slope};
        if (rows().slopes != nullptr) {
            LONGBOW_UNROLL
            for (int r = 0; r < 2; ++r) own[r] += rows().slopes[row + 8 * r];
        }
        LONGBOW_UNROLL
        for (int n = 0; n < kTiles; ++n) {
            TwoFloats other{};
            if (rows().slopes != nullptr)
                other = *reinterpret_cast<const TwoFloats*>(columns().slopes + column + 8 * n);
            float far[2][2];
            distances(far, n);
            LONGBOW_UNROLL
            for (int j = 0; j < 4; ++j) x[n][j] -= (own[j >> 1] + other.value[j & 1]) * far[j >> 1][j & 1];
        }
    }

    LONGBOW_DEVICE void add_entries(float (&x)[kTiles][4]) const {
        Pair own[2];
        LONGBOW_UNROLL
        for (int r = 0; r < 2; ++r) own[r] = rows().positions[row + 8 * r];
        LONGBOW_UNROLL
        for (int n = 0; n < kTiles; ++n) {
            const auto other = *reinterpret_cast<const TwoPairs*>(columns().positions + column + 8 * n);
            LONGBOW_UNROLL
            for (int j = 0; j < 4; ++j)
                x[n][j] += scores.table[entry(own[j >> 1], other.pair[j & 1], scores.table_last)] * kLog2E;
        }
    }

    // Sets the distances of tile n's elements, by row and column.
    LONGBOW_DEVICE void distances(float (&far)[2][2], int n) const {
        const auto other = *reinterpret_cast<const TwoPairs*>(columns().positions + column + 8 * n);
        LONGBOW_UNROLL
        for (int r = 0; r < 2; ++r) {
            const Pair own = rows().positions[row + 8 * r];
            LONGBOW_UNROLL
            for (int e = 0; e < 2; ++e)
                far[r][e] = fabsf((own.high - other.pair[e].high) + (own.low - other.pair[e].low));
        }
    }

    LONGBOW_DEVICE void hide(float (&x)[kTiles][4]) const {
        const int least =
            scores.causal ? (device::fault_planted(device::PlantedFault::causal_bound) ? -1 : 0) : -(1 << 30);
        const int keys = scores.keys + (device::fault_planted(device::PlantedFault::key_bound) ? 1 : 0);
        const int window = scores.window + (device::fault_planted(device::PlantedFault::window_bound) ? 1 : 0);
        const int sinks = places.sinks + (device::fault_planted(device::PlantedFault::sink_bound) ? 1 : 0);
        const int reach = scores.window > 0 ? window : 1 << 30;
        LONGBOW_UNROLL
        for (int n = 0; n < kTiles; ++n) {
            LONGBOW_UNROLL
            for (int j = 0; j < 4; ++j) {
                const int d = distance[j >> 1] + step(n, j & 1);
                const int key = kKeyRows ? row + 8 * (j >> 1) : column + 8 * n + (j & 1);
                const bool seen = d >= least && key < keys && (d < reach || key < sinks);
                x[n][j] = seen ? x[n][j] : -infinity();
            }
        }
    }
};

// One interface for the tiles of both kinds of kernels.
template <bool kPlaces, bool kExact, bool kKeyRows, int kTiles>
struct Elements;

template <bool kExact, bool kKeyRows, int kTiles>
struct Elements<false, kExact, kKeyRows, kTiles> : ScoreTile<kExact, kKeyRows, kTiles> {
    LONGBOW_DEVICE Elements(const Scores& s, const HeadPlaces& /*p*/, int first_row, int first_column)
        : ScoreTile<kExact, kKeyRows, kTiles>(s, first_row, first_column) {}
};

template <bool kExact, bool kKeyRows, int kTiles>
struct Elements<true, kExact, kKeyRows, kTiles> : PlaceTile<kKeyRows, kTiles> {
    LONGBOW_DEVICE Elements(const Scores& s, const HeadPlaces& p, int first_row, int first_column)
        : PlaceTile<kKeyRows, kTiles>(s, p, first_row, first_column) {}
    LONGBOW_DEVICE void apply(float (&x)[kTiles][4], const TileKind& kind, int /*row*/) const {
        PlaceTile<kKeyRows, kTiles>::apply(x, kind);
    }
};

}  // namespace longbow::cuda
