// Defines the C boundary between the attention operators, which know tensors, and the kernels, which include no torch
// header. The same structs serve CPU and CUDA; every pointer is in the memory of the device that runs the kernel.
#pragma once

#include <cstdint>

extern "C" {

enum longbow_dtype : std::int32_t { LONGBOW_F32 = 0, LONGBOW_BF16 = 1, LONGBOW_F16 = 2 };

// Queries and keys of a block: what the table of skipped blocks counts in.
enum longbow_block : std::int32_t { LONGBOW_BLOCK = 64 };

// Queries that the CPU's kernels take together, and how many such groups are in a block.
enum longbow_row_groups : std::int32_t {
    LONGBOW_ROW_GROUP = 6,
    LONGBOW_ROW_GROUPS = (LONGBOW_BLOCK + LONGBOW_ROW_GROUP - 1) / LONGBOW_ROW_GROUP
};

enum longbow_status : std::int32_t {
    LONGBOW_OK = 0,
    LONGBOW_UNSUPPORTED = 1,  // no kernel serves this head_dim, dtype or device
    LONGBOW_FAILED = 2,       // a kernel could not be started; longbow_attention_cuda_failure() says why
    LONGBOW_CAPTURED = 3,  // dropout on a stream that is captured in a CUDA graph, whose replays would repeat the mask
};

// How to run tasks 0 .. tasks - 1, each in a thread of its own if it likes; returns when all are done.
struct longbow_parallel {
    void* context;
    void (*run)(void* context, std::int32_t tasks, void (*task)(void* data, std::int32_t index), void* data);
};

// [batch, heads, length, head_dim]; strides in elements; head_dim is contiguous (the operator sees to that).
struct longbow_tensor4 {
    void* data;
    std::int64_t batch, head, row;
};

// The parts of a bias that depend on where a query or a key stands, and their gradients. Null or 0: the part is absent.
// The terms of a row and a column are fp64, because they may be large and of opposite signs: their sum is as accurate
// as one of fp64 that is rounded once.
struct longbow_places {
    const float* query_slopes;  // [batch, heads, query_length]: -slope of the query * |distance|
    const float* key_slopes;    // [batch, heads, key_length]: -slope of the key * |distance|
    const double* row;          // [1 or batch, heads, query_length]; the same for all of a batch if row_batch is 0
    const double* column;       // [1 or batch, heads, key_length]
    std::int64_t row_batch, column_batch;  // strides of the batch, in numbers
    // [key_length]: distances are those between these, in slopes and the table alike, and not between indices. The
    // queries' are the last ones. A table's entry is that of the whole part of the distance.
    const double* positions;
    // [heads]: the sum of a row's weights is larger by exp(sink_logit), which goes to no value. The CUDA kernels leave
    // it to the operator, which adds it to out and lse; a backward pass is given these.
    const float* sink_logit;
    std::int32_t sinks;          // first keys that the window does not hide; 0 without a window
    std::int32_t skip_by_table;  // 1: far keys may be skipped because the distance table makes them negligible

    // Overwritten by the backward pass; null: not wanted.
    double *dquery_slopes, *dkey_slopes;  // as the slopes
    double *drow, *dcolumn;               // [batch, heads, query_length], [batch, heads, key_length]
    double* dsink_logit;                  // [batch, heads, blocks of queries]: the parts of a sum

    // On CPU, null or, beside max_key_norms, [batch, heads, blocks of keys]: the logarithm of the sum of exp(column)
    // over the keys up to each block's end. The skip table fills it in, and the forward pass reads it.
    double* column_tails;
    // Likewise, for a table whose far entries may be skipped, [batch, heads, key_length + LONGBOW_BLOCK]: the logarithm
    // of the sum of exp(table) over all keys at this distance or further away.
    float* table_tails;
};

// The arguments of one call, forward or backward. Query i stands at key position p = i + key_length - query_length. It
// sees the keys at positions up to p (if causal), not below p - (window - 1) (if window > 0), and below lengths[batch].
// A query that sees no key, or whose own position is at or beyond lengths[batch], gets out = 0, lse = -inf and no
// gradient.
//   score = scale * q.k + bias(|distance|), bias = -slope * |distance| + table[min(|distance|, table_length - 1)]
// and what the members of longbow_places add. A call without any of these has the bits and the speed that it would have
// if they did not exist.
struct longbow_attention {
    std::int32_t batch, heads, query_length, key_length, head_dim;
    // Heads of k, v, dk and dv, of which each serves heads / kv_heads consecutive heads of q; 0: as many as heads.
    // Whatever is [batch, heads, ..] below is by heads of q, norms of keys included.
    std::int32_t kv_heads;
    // These two are filled in by the CUDA library: heads / kv_heads, and ceil(2^32 / kv_group) or 0 if that is one. The
    // head of k and v is that of q times kv_factor / 2^32. A division in the kernel would keep addresses out of the
    // registers that a warp shares.
    std::int32_t kv_group;
    std::uint32_t kv_factor;
    std::int32_t dtype;  // of q, k, v, out and their gradients; sums are fp32
    std::int32_t causal, window;
    float scale;

    longbow_tensor4 q, k, v, out;
    float* lse;  // [batch, heads, query_length], natural log of the softmax denominator

    const float* slopes;  // null: no slopes. Otherwise [heads], or [batch, heads] with slopes_batch = heads
    std::int64_t slopes_batch;
    const float* table;  // null: no table. Otherwise [heads, table_length]
    std::int32_t table_length;
    const std::int32_t* lengths;  // null: every sequence has key_length keys. Otherwise [batch]

    // Dropout on the probabilities (philox.h): a weight is kept if its random byte is below dropout_keep = round((1 -
    // p) * 256), and kept weights are scaled by 256 / dropout_keep.
    std::int32_t dropout_keep;  // 256: no dropout
    std::uint64_t dropout_seed, dropout_offset;

    // First block of keys that each block of queries must visit, [batch, heads, ceil(query_length / LONGBOW_BLOCK)]
    // (skip_table.h); null: all. Blocks of queries are counted from query 0, blocks of keys from key 0.
    const std::int32_t* first_key_block;
    // On the CPU, the number of entries that first_key_block has for each block of queries. 0 or 1: one entry.
    // LONGBOW_ROW_GROUPS: one for each group of rows, none below the one before it, so that the first entry holds for
    // the whole block.
    std::int32_t first_key_groups;
    // Forward on CPU: null, or what it may narrow the table with, beside it; CUDA does not read them (cpu/narrowing.h).
    const float* max_key_norms;  // [batch, heads, ceil(key_length / LONGBOW_BLOCK)]: the largest |k| of each block and
                                 // all to its left
    float skip_threshold;        // what is left out stays below exp(-skip_threshold) of a row's sum
    std::int32_t*
        first_visited_block;  // with LONGBOW_ROW_GROUPS entries a block: the first block whose weights entered the sums

    // For the backward pass only. A gradient that is not wanted has data = null.
    longbow_tensor4 dout, dq, dk, dv;
    float* dslopes;  // [batch, heads], overwritten; null: not wanted
    float* dtable;   // [heads, table_length], overwritten; null: not wanted

    void* workspace;                   // of the size that the kernel's *_workspace function says
    void* stream;                      // CUDA stream; null on CPU
    std::int32_t threads;              // CPU: threads to use
    const longbow_parallel* parallel;  // CPU: how; null: one task after the other

    longbow_places places;  // all zero: none
};

}  // extern "C"
