// Says which blocks of keys a block of queries visits. Like everything that the CPU kernels include, this lies in an
// unnamed namespace: each instruction set's file must keep its own copy, or the linker might give a function compiled
// for AVX-512 to a caller on a machine without it. For the same reason nothing here includes templates of the standard
// library.
#pragma once

#include <cstdint>

#include "attention/kernels/params.h"

namespace longbow::cpu {
namespace {

constexpr int kTile = LONGBOW_BLOCK, kRowGroup = LONGBOW_ROW_GROUP, kRowGroups = LONGBOW_ROW_GROUPS;

constexpr int min_of(int a, int b) { return a < b ? a : b; }
constexpr int max_of(int a, int b) { return a > b ? a : b; }
inline int blocks_of(int length) { return (length + kTile - 1) / kTile; }

// How many heads of q one head of k and v serves, and which head of k and v serves a head of q.
inline int group_of(const longbow_attention& a) { return a.kv_heads > 0 ? a.heads / a.kv_heads : 1; }
inline int kv_head_of(const longbow_attention& a, int head) { return head / group_of(a); }

// The keys of one batch element, and the key position of its query 0.
struct Window {
    int keys;    // number of keys, at most lengths[batch]
    int offset;  // key_length - query_length, the position of query 0; may be negative
};

inline Window window_of(const longbow_attention& a, int batch) {
    int keys = a.key_length;
    if (a.lengths != nullptr) {
        keys = max_of(0, min_of(keys, a.lengths[batch]));
    }
    return {keys, a.key_length - a.query_length};
}

// Blocks begin .. end - 1 without those of a gap, which lies between the sinks and the window.
struct BlockRange {
    int begin, end;
    int gap_begin = 0, gap_end = 0;
    [[nodiscard]] bool holds(int block) const {
        return block >= begin && block < end && !(block >= gap_begin && block < gap_end);
    }
    // The next block to the left of one that is held; below `begin` if there is none.
    [[nodiscard]] int left_of(int block) const { return block == gap_end ? gap_begin - 1 : block - 1; }
    [[nodiscard]] int count() const { return end - begin - (gap_end - gap_begin); }
};

// Returns one block's entries of first_key_block, which must not be null.
inline const std::int32_t* first_blocks_of(const longbow_attention& a, int batch, int head, int block) {
    const std::int64_t row = static_cast<std::int64_t>(batch) * a.heads + head;
    return a.first_key_block + (row * blocks_of(a.query_length) + block) * max_of(1, a.first_key_groups);
}

// The blocks of keys that query block `block` of one head must visit; empty when none of its queries sees a key.
inline BlockRange visible_blocks(const longbow_attention& a, int batch, int head, int block) {
    const Window window = window_of(a, batch);
    const int first_query = window.offset + block * kTile;
    const int last_query = min_of(window.offset + min_of((block + 1) * kTile, a.query_length) - 1, window.keys - 1);
    const int last_key = a.causal != 0 ? last_query : window.keys - 1;
    if (last_key < 0 || first_query >= window.keys) {
        return {0, 0};
    }
    const int in_window = a.window > 0 ? max_of(0, first_query - a.window + 1) / kTile : 0;
    const int needed = a.first_key_block != nullptr ? *first_blocks_of(a, batch, head, block) : 0;
    const int end = last_key / kTile + 1;
    const int sinks = blocks_of(a.places.sinks);
    if (needed >= sinks) {
        return {max_of(in_window, needed), end};
    }
    if (in_window <= sinks) {
        return {needed, end};
    }
    return {needed, end, sinks, in_window};
}

// Returns how many keys of a block exist or, if the window hides the block from these queries, are sinks. The first
// query is at key position first_query.
inline int keys_in_block(const longbow_attention& a, const Window& window, int first_query, int key_block) {
    const int keys = min_of(kTile, window.keys - key_block * kTile);
    const bool behind_window = a.places.sinks > 0 && first_query - (key_block * kTile + kTile - 1) >= a.window;
    return behind_window ? min_of(keys, a.places.sinks - key_block * kTile) : keys;
}

// The table's entry for a distance between given positions.
inline int entry_of(double distance, int table_length) {
    const double far = distance < 0.0 ? -distance : distance;
    return far < static_cast<double>(table_length - 1) ? static_cast<int>(far) : table_length - 1;
}

// The positions of a tile's queries and keys, relative to that of its first key.
struct TilePositions {
    float queries[kTile], keys[kTile];

    TilePositions(const longbow_attention& a, int query_block, int key_block) {
        const int offset = a.key_length - a.query_length;
        const double* positions = a.places.positions;
        const auto of = [&](int index) {
            return positions != nullptr ? positions[max_of(0, min_of(index, a.key_length - 1))] : index;
        };
        const double first = of(key_block * kTile);
        for (int i = 0; i < kTile; ++i) {
            queries[i] = static_cast<float>(of(offset + query_block * kTile + i) - first);
            keys[i] = static_cast<float>(of(key_block * kTile + i) - first);
        }
    }
};

// Whether a tile's biases are more than a function of the distance.
inline bool has_place_terms(const longbow_attention& a) {
    const longbow_places& places = a.places;
    return places.row != nullptr || places.column != nullptr || places.query_slopes != nullptr ||
           places.key_slopes != nullptr || places.positions != nullptr;
}

// Returns how many leading rows of a block of queries visit a block of keys, in whole groups. The rows after them are
// further away and skip it.
inline int visiting_rows(const longbow_attention& a, int batch, int head, int block, int key_block) {
    const int rows = min_of(kTile, a.query_length - block * kTile);
    if (a.first_key_block == nullptr || a.first_key_groups <= 1) {
        return rows;
    }
    const std::int32_t* first = first_blocks_of(a, batch, head, block);
    int group = kRowGroups;
    while (group > 0 && first[group - 1] > key_block) {
        --group;
    }
    return min_of(rows, group * kRowGroup);
}

}  // namespace
}  // namespace longbow::cpu
