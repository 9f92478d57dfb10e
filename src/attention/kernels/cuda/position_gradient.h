// Computes the gradient of a distance table where distances are between given positions, so that no two places of a
// tile need have the same one. A block walks over the tiles of some blocks of queries. Each thread looks at all
// elements of a tile and adds those whose entries are its own, in their order: two runs give the same bits. Heads of
// more than 128 elements come here too if they have other parts by place; one kernel of each type serves all.
#pragma once

#include "gradient_tile.h"

namespace longbow::cuda {

constexpr int kPositionChunk = 16;  // tiles of queries of a block

inline int position_chunks(const longbow_attention& call, int tile) {
    return (call.query_length + tile * kPositionChunk - 1) / (tile * kPositionChunk);
}

template <class T>
struct PositionGradientKernel {
    static constexpr int kDim = 256;
    using Shape = TableGradientShape<T, kDim>;
    static constexpr int kThreads = 2 * Shape::kTile;
    static constexpr int kBlocks = 0;
    static constexpr int kSharedBytes = 4 * Shape::kTileBytes;
    static constexpr int kPitch = Shape::kTile + 1;
    static_assert(2 * Shape::kTile * kPitch * 4 <= kSharedBytes);

    longbow_attention call;
    const float* lse;
    const float* delta;
    float* parts;  // [batch, heads, chunks, table_length]
    PlaceArrays places;

    static Grid grid(const longbow_attention& call) {
        return {position_chunks(call, Shape::kTile), call.heads, call.batch};
    }

    LONGBOW_DEVICE void operator()() const {
        const Lane lane;
        const int head = device::block_y();
        const int batch = device::block_z();
        const std::int64_t head_index = static_cast<std::int64_t>(batch) * call.heads + head;
        float* const sums = parts + (head_index * device::blocks_x() + device::block_x()) * call.table_length;
        for (int entry = device::thread(); entry < call.table_length; entry += kThreads) sums[entry] = 0.0f;
        LongSum last{0.0f, 0.0f};  // of the last entry, if it is this thread's: most elements may be its
        const Scores scores(call, batch, head);
        for (int i = 0; i < kPositionChunk; ++i) {
            const int query = (device::block_x() * kPositionChunk + i) * Shape::kTile;
            const int last_query = min_of(query + Shape::kTile, scores.queries) - 1;
            if (last_query < query) break;
            const int first_key = call.places.sinks > 0 ? 0 : scores.first_key(query);
            for (int key = first_key / Shape::kTile * Shape::kTile; key < scores.end_key(last_query);
                 key += Shape::kTile)
                add_tile(sums, last, scores, lane, batch, head, query, key);
        }
        if (call.table_length > 0 && (call.table_length - 1) % kThreads == device::thread())
            sums[call.table_length - 1] = last.high + last.low;
    }

private:
    LONGBOW_DEVICE static device::SharedAddress at(int which, int row, int column) {
        return device::shared_memory() +
               static_cast<std::uint32_t>(4 * ((which * Shape::kTile + row) * kPitch + column));
    }

    LONGBOW_DEVICE void add_tile(float* sums, LongSum& last, const Scores& scores, const Lane& lane, int batch,
                                 int head, int query, int key) const {
        const GradientTile<T, kDim, true> tile{call, lse, delta, places};
        float gradients[Shape::kTile / 8][4];
        tile.each(scores, lane, batch, head, query, key,
                  [&](int n, int j, float gradient) { gradients[n][j] = gradient; });
        device::sync();  // no thread still reads the operands, whose memory now takes these
        LONGBOW_UNROLL
        for (int n = 0; n < Shape::kTile / 8; ++n) {
            LONGBOW_UNROLL
            for (int j = 0; j < 4; ++j)
                device::store_shared(at(0, 16 * lane.warp + lane.g + 8 * (j >> 1), 8 * n + 2 * lane.t + (j & 1)),
                                     gradients[n][j]);
        }
        for (int i = device::thread(); i < Shape::kTile * Shape::kTile; i += kThreads) {
            const int row = i / Shape::kTile, column = i % Shape::kTile;
            const int entry = PlaceTile<false, 1>::entry(places.queries.positions[query + row],
                                                         places.keys.positions[key + column], scores.table_last);
            device::store_shared(at(1, row, column), device::float_of(static_cast<std::uint32_t>(entry)));
        }
        device::sync();
        for (int row = 0; row < Shape::kTile; ++row) {
            for (int column = 0; column < Shape::kTile; ++column) {
                // The bound keeps a race, which tests cause on purpose, from writing anywhere.
                const std::uint32_t found = device::bits_of(device::load_shared(at(1, row, column)));
                const auto table_last = static_cast<std::uint32_t>(scores.table_last);
                const auto entry = static_cast<int>(found < table_last ? found : table_last);
                if (entry % kThreads != device::thread()) continue;
                const float gradient = device::load_shared(at(0, row, column));
                if (entry == scores.table_last) {
                    last.add(gradient);
                } else {
                    sums[entry] += gradient;
                }
            }
        }
    }
};

// Sums the parts of each entry in the order of batches and chunks.
struct PositionSumKernel {
    static constexpr int kThreads = 128;
    static constexpr int kBlocks = 0;
    static constexpr int kSharedBytes = 0;

    longbow_attention call;
    int chunks;
    const float* parts;

    static Grid grid(const longbow_attention& call) {
        return {(call.table_length + kThreads - 1) / kThreads, call.heads, 1};
    }

    LONGBOW_DEVICE void operator()() const {
        const int entry = device::block_x() * kThreads + device::thread();
        const int head = device::block_y();
        if (entry >= call.table_length) return;
        LongSum sum{0.0f, 0.0f};
        for (int batch = 0; batch < call.batch; ++batch) {
            for (int chunk = 0; chunk < chunks; ++chunk) {
                const std::int64_t block = (static_cast<std::int64_t>(batch) * call.heads + head) * chunks + chunk;
                sum.add(parts[block * call.table_length + entry]);
            }
        }
        call.dtable[static_cast<std::int64_t>(head) * call.table_length + entry] = sum.high + sum.low;
    }
};

}  // namespace longbow::cuda
