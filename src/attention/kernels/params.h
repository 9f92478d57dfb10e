// The plain C boundary between the attention operators, which know tensors, and the kernels, which include no torch header. The same
// structs serve CPU and CUDA; every pointer is in the memory of the device that runs the kernel.
#pragma once

#include <cstdint>

extern "C" {

enum longbow_dtype : std::int32_t { LONGBOW_F32 = 0, LONGBOW_BF16 = 1, LONGBOW_F16 = 2 };

// Queries that the CPU's kernels take together, and how many such groups are in a block of 64.
enum longbow_row_groups : std::int32_t { LONGBOW_ROW_GROUP = 6, LONGBOW_ROW_GROUPS = 11 };

enum longbow_status : std::int32_t {
    LONGBOW_OK = 0,
    LONGBOW_UNSUPPORTED = 1,  // head_dim, dtype or device that no kernel serves
    LONGBOW_FAILED = 2,       // launch or allocation failed; the operator asks the runtime why
};

// [batch, heads, length, head_dim]; strides in elements; head_dim is contiguous (the operator sees to that).
struct longbow_tensor4 {
    void* data;
    std::int64_t batch, head, row;
};

// One call, forward or backward. Query i stands at key position i + key_length - query_length and sees keys at positions up to its own
// (causal), no further back than window - 1 (window > 0), below lengths[batch]; a query whose own position is at or beyond
// lengths[batch], and one that sees no key, gives out = 0, lse = -inf and no gradient.
//   score = scale * q.k + bias(|distance|), bias = -slope * |distance| or table[min(|distance|, table_length - 1)]
struct longbow_attention {
    std::int32_t batch, heads, query_length, key_length, head_dim;
    std::int32_t dtype;  // of q, k, v, out and their gradients; sums are fp32
    std::int32_t causal, window;
    float scale;

    longbow_tensor4 q, k, v, out;
    float* lse;  // [batch, heads, query_length], natural log

    const float* slopes;  // null: none. [heads], or [batch, heads] with slopes_batch = heads
    std::int64_t slopes_batch;
    const float* table;  // null: none. [heads, table_length]
    std::int32_t table_length;
    const std::int32_t* lengths;  // null: all whole. [batch]

    // Dropout on the probabilities: see philox.h. dropout_keep = round((1 - p) * 256) of 256 bytes are kept and scaled by 256 / keep.
    std::int32_t dropout_keep;  // 256: no dropout
    std::uint64_t dropout_seed, dropout_offset;

    // First 64-key block that each 64-query block must visit, [batch, heads, ceil(query_length / 64)] (skip_table.h); null: all.
    // Blocks of queries are counted from query 0, blocks of keys from key 0.
    const std::int32_t* first_key_block;
    // CPU: entries that each block of queries has there: 0 or 1 for the block, or LONGBOW_ROW_GROUPS, the first for the block and each for its
    // own group of rows, not below the one before.
    std::int32_t first_key_groups;
    // Forward on CPU: null, or what it may narrow the table with, beside it; CUDA does not read them (cpu/narrowing.h).
    const float* longest_keys;   // [batch, heads, ceil(key_length / 64)]: the largest |k| of each block and all to its left
    float skip_threshold;        // what is left out stays below exp(-skip_threshold) of a row's sum
    std::int32_t* visited_from;  // with LONGBOW_ROW_GROUPS entries a block: the first block whose weights entered the sums

    // Backward only. Gradients that are not wanted have data = null.
    longbow_tensor4 dout, dq, dk, dv;
    float* dslopes;  // [batch, heads], overwritten; null: not wanted
    float* dtable;   // [heads, table_length], overwritten; null: not wanted

    void* workspace;       // of the size that the kernel's *_workspace function says
    void* stream;          // CUDA stream; null on CPU
    std::int32_t threads;  // CPU: threads to use
};

}  // extern "C"
