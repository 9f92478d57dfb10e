// Gives the biases of one tile, row by row. Where they are a function of the distance alone, a row points into the
// numbers of bias_row.h. Terms by place and sinks are written out for the tile, which costs about a twentieth of its
// matrix products.
#pragma once

#include "bias_row.h"
#include "scratch.h"

namespace longbow::cpu {
namespace {

// The biases of a tile's rows, in base 2; -infinity where a query does not see a key.
struct Biases {
    const float* first;
    std::ptrdiff_t stride;
    const float* operator()(int row) const { return first + row * stride; }
};

class TileBias {
public:
    TileBias(const longbow_attention& a, Scratch& scratch) : a_(a), by_place_(has_place_terms(a)) {
        const std::int64_t columns = std::int64_t{blocks_of(a.key_length)} * kTile;
        row_data_ = scratch.take<float>(BiasRow::size(a));
        if (a.places.sinks > 0) everywhere_data_ = scratch.take<float>(BiasRow::size(a));
        if (by_place_ || a.places.sinks > 0) tile_ = scratch.take<float>(kTile * kTile);
        if (by_place_) columns_ = scratch.take<double>(columns);
        if (has_slopes()) key_slopes_ = scratch.take<double>(columns);
        if (has_slopes() || a.places.positions != nullptr) positions_ = scratch.take<double>(columns);
    }

    void start_head(int batch, int head) {
        const int offset = a_.key_length - a_.query_length;
        batch_head_ = static_cast<std::int64_t>(batch) * a_.heads + head;
        offset_ = offset;
        longbow_attention by_index = a_;
        if (a_.places.positions != nullptr) by_index.slopes = by_index.table = nullptr;
        row_.fill(by_index, batch, head, row_data_);
        if (a_.places.sinks > 0) {
            by_index.window = 0;
            everywhere_.fill(by_index, batch, head, everywhere_data_);
        }
        if (!by_place_) return;
        const longbow_places& places = a_.places;
        rows_ = places.row != nullptr
                    ? places.row + batch * places.row_batch + static_cast<std::int64_t>(head) * a_.query_length
                    : nullptr;
        const double* column = places.column != nullptr ? places.column + batch * places.column_batch +
                                                              static_cast<std::int64_t>(head) * a_.key_length
                                                        : nullptr;
        const float* slope = places.key_slopes != nullptr ? places.key_slopes + batch_head_ * a_.key_length : nullptr;
        slope_ = a_.slopes != nullptr && places.positions != nullptr
                     ? a_.slopes[batch * a_.slopes_batch + head] * kWideLog2e
                     : 0.0;
        table_ = a_.table != nullptr && places.positions != nullptr
                     ? a_.table + static_cast<std::int64_t>(head) * a_.table_length
                     : nullptr;
        for (int j = 0; j < blocks_of(a_.key_length) * kTile; ++j) {
            const bool exists = j < a_.key_length;
            if (positions_ != nullptr) positions_[j] = exists && places.positions != nullptr ? places.positions[j] : j;
            columns_[j] = exists && column != nullptr ? column[j] * kWideLog2e : 0.0;
            if (has_slopes()) key_slopes_[j] = exists && slope != nullptr ? slope[j] * kWideLog2e : 0.0;
        }
    }

    // Returns the biases of the first `rows` queries of a block, which stay valid until the next call.
    Biases of_tile(int query_block, int key_block, int rows) {
        const int first_query = offset_ + query_block * kTile;
        const int key = key_block * kTile;
        const bool with_sinks = key < a_.places.sinks;
        if (!by_place_ && !with_sinks) return {row_.of_query(first_query) + key, -1};
        for (int i = 0; i < rows; ++i) {
            const float* bias = row_.of_query(first_query + i) + key;
            float* to = tile_ + i * kTile;
            if (with_sinks) {
                const int open = min_of(kTile, a_.places.sinks - key);
                __builtin_memcpy(to, everywhere_.of_query(first_query + i) + key, sizeof(float) * open);
                __builtin_memcpy(to + open, bias + open, sizeof(float) * (kTile - open));
                bias = to;
            }
            if (!by_place_) continue;
            const int query = query_block * kTile + i;
            const double row = rows_ != nullptr ? rows_[query] * kWideLog2e : 0.0;
            if (has_slopes()) {
                const float* slopes = a_.places.query_slopes;
                const double slope =
                    slope_ + (slopes != nullptr ? slopes[batch_head_ * a_.query_length + query] * kWideLog2e : 0.0);
                add_terms<true>(bias, row, slope, position_of(query), key, to);
            } else {
                add_terms<false>(bias, row, 0.0, 0.0, key, to);
            }
            if (table_ != nullptr) add_entries(position_of(query), key, to);
        }
        return {tile_, kTile};
    }

private:
    using Floats [[gnu::vector_size(32)]] = float;
    using Doubles [[gnu::vector_size(64)]] = double;
    static constexpr double kWideLog2e = 1.44269504088896340736;

    [[nodiscard]] bool has_slopes() const {
        return a_.places.query_slopes != nullptr || a_.places.key_slopes != nullptr ||
               (a_.places.positions != nullptr && a_.slopes != nullptr);
    }
    [[nodiscard]] double position_of(int query) const {
        const int index = offset_ + query;  // negative if there are more queries than keys
        return a_.places.positions != nullptr ? positions_[max_of(0, index)] : index;
    }

    // Writes a row of the tile: its bias by distance and, where it sees the key, the sum of the other terms, which is
    // rounded once. `position` is that of the query.
    template <bool kSlopes>
    void add_terms(const float* bias, double row, double slope, double position, int key, float* to) const {
        for (int j = 0; j < kTile; j += 8) {
            Doubles sum;
            Floats x;
            __builtin_memcpy(&sum, columns_ + key + j, sizeof sum);
            __builtin_memcpy(&x, bias + j, sizeof x);
            sum += row;
            if constexpr (kSlopes) {
                Doubles slopes;
                __builtin_memcpy(&slopes, key_slopes_ + key + j, sizeof slopes);
                Doubles ahead;
                __builtin_memcpy(&ahead, positions_ + key + j, sizeof ahead);
                ahead -= position;
                sum -= (slopes + slope) * (ahead < 0.0 ? -ahead : ahead);
            }
            // What is hidden stays so, whatever its terms are.
            x = x == -__builtin_inff() ? x : x + __builtin_convertvector(sum, Floats);
            __builtin_memcpy(to + j, &x, sizeof x);
        }
    }

    // Adds the table's entries for distances between given positions to a row of the tile.
    void add_entries(double position, int key, float* to) const {
        for (int j = 0; j < kTile; ++j) {
            if (to[j] == -__builtin_inff()) continue;
            to[j] += table_[entry_of(position - positions_[key + j], a_.table_length)] * kLog2e;
        }
    }

    const longbow_attention& a_;
    bool by_place_;
    std::int64_t batch_head_ = 0;
    int offset_ = 0;
    BiasRow row_, everywhere_;
    float *row_data_, *everywhere_data_ = nullptr, *tile_ = nullptr;
    const double* rows_ = nullptr;
    double *columns_ = nullptr, *key_slopes_ = nullptr, *positions_ = nullptr;
    double slope_ = 0.0;  // of the head, where distances are between given positions; so is the table
    const float* table_ = nullptr;
};

}  // namespace
}  // namespace longbow::cpu
