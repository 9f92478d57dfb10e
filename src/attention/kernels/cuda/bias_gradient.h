// Computes the gradients of the bias on CUDA. For slopes, the backward kernel for queries leaves one part per block,
// and these are summed in a fixed order. A distance table has a kernel of its own, which walks over bands of tiles: all
// tiles of a band have the same difference between their query tile and key tile. The same place in each tile of a band
// therefore has the same distance, so that a thread keeps one sum of dS per element over all tiles of its block, and
// the diagonals are summed once at the end. Bands that lie beyond the table's last entry are not
// visited: the rows of dS sum to zero, so the last entry's gradient is minus the sum of the others'. With a sink logit,
// a row and the sink's share of it sum to zero.
#pragma once

#include "gradient_tile.h"

namespace longbow::cuda {

struct SlopeSumKernel {
    static constexpr int kThreads = 32;
    static constexpr int kBlocks = 0;
    static constexpr int kSharedBytes = 0;

    const float* parts;
    int count;  // parts per head
    float* dslopes;

    LONGBOW_DEVICE void operator()() const {
        const int head = device::block_x();
        float sum = 0.0f;
        for (int i = device::thread(); i < count; i += kThreads)
            sum += parts[static_cast<std::int64_t>(head) * count + i];
        LONGBOW_UNROLL
        for (int mask = 16; mask > 0; mask /= 2) sum += device::shuffle_xor(sum, mask);
        if (device::thread() == 0) dslopes[head] = sum;
    }
};

// Which bands there are. In band b, key tile - query tile = first + b. Its distances are that of the tiles' diagonal,
// center(b), and up to tile - 1 more or less. Each block takes `kChunk` tiles of a band.
struct Bands {
    static constexpr int kChunk = 16;
    int tile, offset;
    int direct;  // number of table entries whose gradient is summed directly
    int first, count, chunks;

    Bands(const longbow_attention& call, int tile_size) : tile(tile_size), offset(call.key_length - call.query_length) {
        const int farthest = (call.key_length > call.query_length ? call.key_length : call.query_length) - 1;
        direct = call.table_length > farthest ? call.table_length : call.table_length - 1;
        const int query_tiles = tiles(call.query_length), key_tiles = tiles(call.key_length);
        // A band is needed if its distances, center - tile + 1 .. center + tile - 1, meet lowest .. direct - 1.
        const int lowest = call.causal != 0 ? 0 : 1 - direct;
        first = 1 - query_tiles;
        while (first < key_tiles && offset - tile * first - (tile - 1) > direct - 1) ++first;
        int last = key_tiles - 1;
        while (last >= first && offset - tile * last + (tile - 1) < lowest) --last;
        count = direct > 0 && last >= first ? last - first + 1 : 0;
        chunks = (query_tiles + kChunk - 1) / kChunk;
    }
    [[nodiscard]] int tiles(int length) const { return (length + tile - 1) / tile; }
    [[nodiscard]] std::int64_t parts(const longbow_attention& call) const {
        return static_cast<std::int64_t>(call.batch) * call.heads * count * chunks * 2 * tile;
    }
    LONGBOW_DEVICE int center(int band) const { return offset - tile * (first + band); }
};

template <class T, int kDim, bool kPlaces>
struct TableGradientKernel {
    using Shape = TableGradientShape<T, kDim>;
    static constexpr int kThreads = 2 * Shape::kTile;
    static constexpr int kBlocks = 0;
    static constexpr int kSharedBytes = 4 * Shape::kTileBytes;
    static constexpr int kTiles = Shape::kTile / 8;

    longbow_attention call;
    Bands bands;
    const float* lse;
    const float* delta;
    float* parts;  // [batch, heads, bands, chunks, 2 tile]: entry tile - 1 + d is for distance center + d
    std::conditional_t<kPlaces, PlaceArrays, NoPlaces> places;

    static Grid grid(const longbow_attention& call, const Bands& bands) {
        return {bands.count * bands.chunks, call.heads, call.batch};
    }

    LONGBOW_DEVICE void operator()() const {
        const Lane lane;
        const int band = device::block_x() / bands.chunks;
        const int chunk = device::block_x() % bands.chunks;
        const int head = device::block_y();
        const int batch = device::block_z();
        const Scores scores(call, batch, head);
        float sums[kTiles][4];
        LONGBOW_UNROLL
        for (auto& sum : sums) sum[0] = sum[1] = sum[2] = sum[3] = 0.0f;
        const GradientTile<T, kDim, kPlaces> tile{call, lse, delta, places};
        for (int i = 0; i < Bands::kChunk; ++i) {
            const int query_tile = chunk * Bands::kChunk + i;
            const int query = query_tile * Shape::kTile;
            const int key = (query_tile + bands.first + band) * Shape::kTile;
            if (key < 0 || key >= scores.keys || query >= scores.queries) continue;
            tile.each(scores, lane, batch, head, query, key,
                      [&](int n, int j, float gradient) { sums[n][j] += gradient; });
        }
        const std::int64_t head_index = static_cast<std::int64_t>(batch) * call.heads + head;
        sum_diagonals(sums, lane, parts + (head_index * device::blocks_x() + device::block_x()) * (2 * Shape::kTile));
    }

private:
    LONGBOW_DEVICE static void sum_diagonals(const float (&sums)[kTiles][4], const Lane& lane, float* to) {
        device::sync();  // no thread still reads the tiles, whose memory now takes the sums
        const device::SharedAddress base = device::shared_memory();
        const auto at = [&](int row, int column) {
            return base + static_cast<std::uint32_t>(4 * (row * (Shape::kTile + 1) + column));
        };
        LONGBOW_UNROLL
        for (int n = 0; n < kTiles; ++n) {
            LONGBOW_UNROLL
            for (int j = 0; j < 4; ++j)
                device::store_shared(at(16 * lane.warp + lane.g + 8 * (j >> 1), 8 * n + 2 * lane.t + (j & 1)),
                                     sums[n][j]);
        }
        device::sync();
        // This thread sums the diagonal on which row - column is this.
        const int diagonal = device::thread() - (Shape::kTile - 1);
        float sum = 0.0f;
        for (int row = max_of(diagonal, 0); row < min_of(Shape::kTile + diagonal, Shape::kTile); ++row) {
            sum += device::load_shared(at(row, row - diagonal));
        }
        to[device::thread()] = sum;
    }
};

struct TableSumKernel {
    static constexpr int kThreads = 128;
    // Without this, ptxas spills registers on compute capability 10.0 to fit more blocks.
    static constexpr int kBlocks = 1;
    static constexpr int kSharedBytes = kThreads * 4;

    longbow_attention call;
    Bands bands;
    const float* lse;  // from RowTermsKernel, as delta
    const float* delta;
    const float* parts;

    LONGBOW_DEVICE void operator()() const {
        const int head = device::block_x();
        float* const to = call.dtable + static_cast<std::int64_t>(head) * call.table_length;
        float all = 0.0f;
        for (int entry = device::thread(); entry < bands.direct; entry += kThreads) {
            float sum = at_distance(head, entry);
            if (entry > 0 && call.causal == 0) sum += at_distance(head, -entry);
            to[entry] = sum;
            all += sum;
        }
        if (call.places.sink_logit != nullptr && bands.direct < call.table_length) all += of_sink(head);
        const device::SharedAddress base = device::shared_memory();
        device::store_shared(base + static_cast<std::uint32_t>(4 * device::thread()), all);
        device::sync();
        if (device::thread() == 0 && bands.direct < call.table_length) {
            float sum = 0.0f;
            for (int i = 0; i < kThreads; ++i) sum += device::load_shared(base + static_cast<std::uint32_t>(4 * i));
            to[bands.direct] = -sum;
        }
    }

private:
    // This thread's part of the gradient of the head's sink logit: the sum of -P delta over all rows.
    LONGBOW_DEVICE float of_sink(int head) const {
        const float sink = call.places.sink_logit[head] * kLog2E;
        const std::int64_t rows = padded_rows_on_device(call);
        float sum = 0.0f;
        for (int batch = 0; batch < call.batch; ++batch) {
            const std::int64_t first = (static_cast<std::int64_t>(batch) * call.heads + head) * rows;
            for (std::int64_t row = device::thread(); row < rows; row += kThreads)
                sum -= device::exp2_fast(sink - lse[first + row]) * delta[first + row];
        }
        return sum;
    }

    LONGBOW_DEVICE float at_distance(int head, int distance) const {
        float sum = 0.0f;
        for (int batch = 0; batch < call.batch; ++batch) {
            const std::int64_t head_index = static_cast<std::int64_t>(batch) * call.heads + head;
            for (int band = 0; band < bands.count; ++band) {
                const int d = distance - bands.center(band);
                if (d <= -bands.tile || d >= bands.tile) continue;
                for (int chunk = 0; chunk < bands.chunks; ++chunk) {
                    const std::int64_t block = (head_index * bands.count + band) * bands.chunks + chunk;
                    sum += parts[block * (2 * bands.tile) + bands.tile - 1 + d];
                }
            }
        }
        return sum;
    }
};

}  // namespace longbow::cuda
