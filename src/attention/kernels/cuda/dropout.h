// Draws the dropout mask of one warp's tile of probabilities: bit 4 n + j decides element [n][j]. One draw of philox.h
// decides 16 keys of a query. Each of the lanes that need the same draws makes some of them and gets the rest by
// shuffles.
#pragma once

#include "../params.h"
#include "../philox.h"
#include "fragments.h"

namespace longbow::cuda {

struct Dropout {
    std::uint64_t seed, offset;
    int keep;  // bytes that are kept, of 256
    std::uint32_t batch_head;

    LONGBOW_DEVICE Dropout(const longbow_attention& call, int batch, int head)
        : seed(call.dropout_seed),
          offset(call.dropout_offset),
          keep(call.dropout_keep),
          batch_head(static_cast<std::uint32_t>(batch * call.heads + head)) {}
    LONGBOW_DEVICE bool active() const { return keep < 256; }
    LONGBOW_DEVICE float factor() const { return keep > 0 ? 256.0f / static_cast<float>(keep) : 0.0f; }

    LONGBOW_DEVICE PhiloxBlock draw(int query, int key) const {
        return dropout_bytes(seed, offset, static_cast<std::uint32_t>(query), static_cast<std::uint32_t>(key) / 16,
                             batch_head);
    }
    LONGBOW_DEVICE bool keeps(std::uint32_t word, int byte) const {
        return static_cast<int>((word >> (8 * byte)) & 0xFFu) < keep;
    }

    // The mask if rows are queries: first_query is the warp's first row, first_key (a multiple of 16) its first column.
    template <int kTiles>
    LONGBOW_DEVICE std::uint32_t mask_of_query_rows(const Lane& lane, int first_query, int first_key) const {
        // Four lanes share a pair of rows. They need the draws of both rows r for kTiles / 2 groups k of keys; draw
        // number 2 k + r is lane number % 4's.
        constexpr int kDraws = kTiles;
        constexpr int kLaneBlocks = (kDraws + 3) / 4;
        PhiloxBlock lane_blocks[kLaneBlocks];
        LONGBOW_UNROLL
        for (int i = 0; i < kLaneBlocks; ++i) {
            const int number = 4 * i + lane.t;
            lane_blocks[i] = draw(first_query + lane.g + 8 * (number & 1), first_key + 16 * (number >> 1));
        }
        std::uint32_t mask = 0;
        LONGBOW_UNROLL
        for (int number = 0; number < kDraws; ++number) {
            const int r = number & 1;
            const int from = (lane.lane & ~3) + (number & 3);
            std::uint32_t word[4];
            LONGBOW_UNROLL
            for (int w = 0; w < 4; ++w) word[w] = device::shuffle(lane_blocks[number >> 2].word[w], from);
            LONGBOW_UNROLL
            for (int n = 0; n < 2; ++n) {  // key 8 n + 2 t + e: byte 2 (t & 1) + e of word 2 n + t / 2
                const std::uint32_t bytes = lane.t < 2 ? word[2 * n] : word[2 * n + 1];
                LONGBOW_UNROLL
                for (int e = 0; e < 2; ++e) {
                    const bool kept = keeps(bytes, 2 * (lane.t & 1) + e);
                    mask |= static_cast<std::uint32_t>(kept) << (4 * (number - r + n) + 2 * r + e);
                }
            }
        }
        return mask;
    }

    // The mask if rows are keys, one group of 16: first_key (a multiple of 16) is the warp's first row, first_query its
    // first column.
    template <int kTiles>
    LONGBOW_DEVICE std::uint32_t mask_of_key_rows(const Lane& lane, int first_query, int first_key) const {
        constexpr int kQueries = 8 * kTiles;
        constexpr int kLaneBlocks = (kQueries + 31) / 32;
        PhiloxBlock lane_blocks[kLaneBlocks];
        LONGBOW_UNROLL
        for (int i = 0; i < kLaneBlocks; ++i) lane_blocks[i] = draw(first_query + 32 * i + lane.lane, first_key);
        std::uint32_t mask = 0;
        LONGBOW_UNROLL
        for (int n = 0; n < kTiles; ++n) {
            LONGBOW_UNROLL
            for (int e = 0; e < 2; ++e) {
                const int query = 8 * n + 2 * lane.t + e;
                std::uint32_t word[4];
                LONGBOW_UNROLL
                for (int w = 0; w < 4; ++w) word[w] = device::shuffle(lane_blocks[8 * n / 32].word[w], query & 31);
                LONGBOW_UNROLL
                for (int r = 0; r < 2; ++r) {  // key g + 8 r: byte g % 4 of word 2 r + g / 4
                    const std::uint32_t bytes = lane.g < 4 ? word[2 * r] : word[2 * r + 1];
                    mask |= static_cast<std::uint32_t>(keeps(bytes, lane.g & 3)) << (4 * n + 2 * r + e);
                }
            }
        }
        return mask;
    }
};

}  // namespace longbow::cuda
