// Computes the gradients of the bias on the CPU, which are sums of the scores' gradients by distance. Partial sums are
// kept for each block of queries (slopes), or for each chunk of such blocks and each difference of query and key block
// (tables). Each partial sum has one order of additions, so results do not depend on how the work is shared among
// threads.
#pragma once

#include "geometry.h"
#include "place_gradients.h"
#include "simd.h"

namespace longbow::cpu {
namespace {

class BiasGradient {
public:
    // Query blocks that one thread takes together when a table's gradient is wanted.
    static constexpr int kChunk = 16;

    BiasGradient(const longbow_attention& a, float* partial)
        : a_(a), partial_(partial), blocks_(blocks_of(a.query_length)), offset_(a.key_length - a.query_length) {
        // The differences of query and key block for which some pair is nearer than the table's last entry.
        const int reach = a.table_length + kTile - 3;
        first_ = max_of(1 - blocks_of(a.key_length), -floor_div(offset_ + (a.causal != 0 ? kTile - 1 : reach)));
        differences_ = max_of(0, min_of(blocks_ - 1, floor_div(reach - offset_)) - first_ + 1);
    }

    [[nodiscard]] bool wanted() const { return a_.dslopes != nullptr || a_.dtable != nullptr; }

    // Floats per head, which the caller sets to zero before the first add_tile(): for each block of queries the sum of
    // gradient * distance (for the slope) and the sum of tiles beyond the table; then the diagonals' sums, [chunks,
    // differences, 2 * kTile], if there is a table.
    [[nodiscard]] std::int64_t size() const {
        if (!wanted()) {
            return 0;
        }
        const std::int64_t chunks = (blocks_ + kChunk - 1) / kChunk;
        const std::int64_t sums =
            a_.places.positions != nullptr ? a_.table_length : std::int64_t{differences_} * 2 * kTile;
        return 2 * std::int64_t{blocks_} + (a_.dtable != nullptr ? chunks * sums : 0);
    }

    // Adds a tile [rows, kTile] of the scores' gradients, which are 0 where a query does not see a key.
    void add_tile(int batch_head, int query_block, int key_block, int rows, const float* tile) const {
        float* head = partial_ + batch_head * size();
        if (a_.places.positions != nullptr) {
            add_by_position(head, query_block, key_block, rows, tile);
            return;
        }
        const int base = offset_ + (query_block - key_block) * kTile;  // distance from the first query to the first key
        if (a_.dslopes != nullptr) {
            head[query_block] += by_distance(base, rows, tile);
        }
        if (a_.dtable == nullptr) {
            return;
        }
        if (is_far(base)) {
            head[blocks_ + query_block] += sum_of(rows, tile);
            return;
        }
        float* to = diagonals(head, query_block / kChunk, query_block - key_block) + kTile - 1;
        for (int i = 0; i < rows; ++i, --to) {  // to[j] is for distance base + i - j
            for (int j = 0; j < kTile; j += Simd::kWidth) {
                Simd::store(to + j, Simd::add(Simd::load(to + j), Simd::load(tile + i * kTile + j)));
            }
        }
    }

    // After all tiles: slope_gradient() returns d loss / d slope of one head; add_table_gradient() adds one head's sums
    // to `table`, [table_length] doubles.
    [[nodiscard]] double slope_gradient(int batch_head) const {
        double sum = 0.0;
        for (int block = 0; block < blocks_; ++block) {
            sum -= (partial_ + batch_head * size())[block];
        }
        return sum;
    }
    void add_table_gradient(int batch_head, double* table) const {
        float* head = partial_ + batch_head * size();
        for (int chunk = 0; a_.places.positions != nullptr && chunk * kChunk < blocks_; ++chunk) {
            for (int entry = 0; entry < a_.table_length; ++entry) table[entry] += entries(head, chunk)[entry];
        }
        if (a_.places.positions != nullptr) return;
        for (int block = 0; block < blocks_; ++block) {
            table[a_.table_length - 1] += head[blocks_ + block];
        }
        for (int chunk = 0; chunk * kChunk < blocks_; ++chunk) {
            for (int difference = first_; difference < first_ + differences_; ++difference) {
                const float* sums = diagonals(head, chunk, difference);
                for (int k = 0; k < 2 * kTile - 1; ++k) {
                    const int distance = offset_ + difference * kTile + kTile - 1 - k;
                    table[min_of(distance < 0 ? -distance : distance, a_.table_length - 1)] += sums[k];
                }
            }
        }
    }

private:
    static int floor_div(int x) { return x >= 0 ? x / kTile : -((-x + kTile - 1) / kTile); }

    // The same for distances between given positions; the table's sums are then by entry.
    void add_by_position(float* head, int query_block, int key_block, int rows, const float* tile) const {
        const TilePositions positions(a_, query_block, key_block);
        if (a_.dslopes != nullptr) {
            Simd::Vec sum = Simd::zero();
            for (int i = 0; i < rows; ++i) {
                for (int j = 0; j < kTile; j += Simd::kWidth)
                    sum = Simd::fma(Simd::load(tile + i * kTile + j), distances(positions, i, j), sum);
            }
            head[query_block] += Simd::sum(sum);
        }
        if (a_.dtable == nullptr) return;
        float* to = entries(head, query_block / kChunk);
        for (int i = 0; i < rows; ++i) {
            const double query = a_.places.positions[max_of(0, offset_ + query_block * kTile + i)];
            for (int j = 0; j < min_of(kTile, a_.key_length - key_block * kTile); ++j) {
                const double distance = query - a_.places.positions[key_block * kTile + j];
                to[entry_of(distance, a_.table_length)] += tile[i * kTile + j];
            }
        }
    }
    float* entries(float* head, int chunk) const { return head + 2 * blocks_ + std::int64_t{chunk} * a_.table_length; }

    [[nodiscard]] bool is_far(int base) const {
        return base - (kTile - 1) >= a_.table_length - 1 || base + (kTile - 1) <= 1 - a_.table_length;
    }
    float* diagonals(float* head, int chunk, int difference) const {
        return head + 2 * blocks_ + (std::int64_t{chunk} * differences_ + (difference - first_)) * 2 * kTile;
    }

    static float sum_of(int rows, const float* tile) {
        Simd::Vec sum = Simd::zero();
        for (int k = 0; k < rows * kTile; k += Simd::kWidth) {
            sum = Simd::add(sum, Simd::load(tile + k));
        }
        return Simd::sum(sum);
    }
    static float by_distance(int base, int rows, const float* tile) {
        float index[kTile];
        for (int j = 0; j < kTile; ++j) {
            index[j] = static_cast<float>(j);
        }
        Simd::Vec sum = Simd::zero();
        for (int i = 0; i < rows; ++i) {
            const Simd::Vec here = Simd::set(static_cast<float>(base + i));
            for (int j = 0; j < kTile; j += Simd::kWidth) {
                const Simd::Vec signed_distance = Simd::sub(here, Simd::load(index + j));
                const Simd::Vec distance = Simd::max(signed_distance, Simd::sub(Simd::zero(), signed_distance));
                sum = Simd::fma(Simd::load(tile + i * kTile + j), distance, sum);
            }
        }
        return Simd::sum(sum);
    }

    const longbow_attention& a_;
    float* partial_;
    int blocks_, offset_, first_ = 0, differences_ = 0;
};

}  // namespace
}  // namespace longbow::cpu
