// Draws the random bytes (philox.h) that decide the dropout of one tile, for all its rows at once.
#pragma once

#include "attention/kernels/philox.h"
#include "geometry.h"

namespace longbow::cpu {
namespace {

struct DropoutMask {
    std::uint8_t bytes[kTile][kTile];  // [query, key]

    void draw(const longbow_attention& a, int batch_head, int query_block, int key_block) {
        for (int group = 0; group < kTile / 16; ++group) {
            const auto key_group = static_cast<std::uint32_t>(key_block * (kTile / 16) + group);
            for (int i = 0; i < kTile; ++i) {
                const auto query = static_cast<std::uint32_t>(query_block * kTile + i);
                const PhiloxBlock block = dropout_bytes(a.dropout_seed, a.dropout_offset, query, key_group,
                                                        static_cast<std::uint32_t>(batch_head));
                __builtin_memcpy(&bytes[i][16 * group], block.word, 16);
            }
        }
    }
};

}  // namespace
}  // namespace longbow::cpu
