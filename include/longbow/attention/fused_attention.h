// Computes fused attention: softmax(scale * q k' + bias) v with the bias computed in registers, far blocks skipped
// exactly, and no matrix of scores or biases in memory. C++ and Python (torch.ops.longbow, liblongbow_ops.so) call the
// same registered operator.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>

namespace longbow {

// Describes one call of the operator, in the order of its schema. The members after q, k and v have defaults, so that a
// caller writes only those that it needs.
struct FusedAttentionCall {
    // q is [batch, heads, Lq, head_dim], k and v are [batch, kv_heads, Lk, head_dim], all in fp32, bf16 or fp16. Each
    // head of k and v serves heads / kv_heads consecutive heads of q. head_dim is a multiple of 8 up to 256. Strides
    // may be any (rows whose head_dim is not contiguous are copied).
    at::Tensor q{}, k{}, v{};
    std::optional<at::Tensor> slopes{};  // fp32 [heads] or [batch, heads], any sign: the bias is -slope * |distance|
    std::optional<at::Tensor> table{};   // fp32 [heads, M]: the bias is table[h, min(|distance|, M - 1)]
    // int32 or int64 [batch]; keys and queries at or beyond them do not exist (out = 0, lse = -inf)
    std::optional<at::Tensor> lengths{};
    bool causal = true;       // query i of Lq is at key position i + Lk - Lq
    std::int64_t window = 0;  // keys further back than window - 1 are hidden; 0: no window
    // On the probabilities, in steps of 1/256; the mask is a function of seed, offset and coordinates.
    double dropout = 0.0;
    std::int64_t dropout_seed = 0;
    std::int64_t dropout_offset = 0;
    std::optional<double> scale{};  // 1 / sqrt(head_dim) by default
    // What is skipped is below exp(-skip_threshold) of a row's sum. A negative value means kExactSkipThreshold
    // (choices.h), which is exact in fp32; infinity skips nothing.
    double skip_threshold = -1.0;
    // What follows adds to the bias, or changes it, by the places of queries and keys. Large terms of opposite signs
    // (FoX's sums of gates) are given in fp64; their sums are as accurate as sums of fp64 that are rounded once.
    // Gradients have the type of what they belong to.
    std::optional<at::Tensor> query_slopes{};  // fp32 [1 or batch, heads, Lq]: -slope of the query * |distance|
    std::optional<at::Tensor> key_slopes{};    // fp32 [1 or batch, heads, Lk]: -slope of the key * |distance|
    std::optional<at::Tensor> row{};           // fp32 or fp64 [1 or batch, heads, Lq]: a term of each query
    std::optional<at::Tensor> column{};        // fp32 or fp64 [1 or batch, heads, Lk]: a term of each key
    std::optional<at::Tensor> sink_logit{};    // fp32 [heads]: one more score of each row, of a key without a value
    std::int64_t sinks = 0;                    // first keys that the window does not hide
    // int or floating point [Lk], rising: distances are those between these and not between indices; a table's entry is
    // that of the whole part
    std::optional<at::Tensor> positions{};
    // Whether far keys may be skipped because the table makes them negligible (on a CPU; a GPU skips nothing then). It
    // takes time to find out, which a table that does not fall with the distance never gives back.
    bool skip_by_table = false;

    // Whether any of these is used.
    [[nodiscard]] bool has_parts() const {
        return query_slopes || key_slopes || row || column || sink_logit || sinks != 0 || positions || skip_by_table;
    }
};

// Returns out, shaped like q and laid out [batch, Lq, heads, head_dim], and lse, fp32 [batch, heads, Lq], in natural
// logarithms. The result is differentiable in q, k, v and each part of the bias. Throws c10::ValueError that names the
// argument as the schema does.
std::tuple<at::Tensor, at::Tensor> fused_attention(const FusedAttentionCall& call);

// Does the same without gradients. The third result is the share of the 64 x 64 blocks of scores below the diagonal
// (inside the window) that were visited, [batch, heads] fp32.
std::tuple<at::Tensor, at::Tensor, at::Tensor> fused_attention_visited(const FusedAttentionCall& call);

// Returns that share alone. The call may have no table, lengths or dropout; v is not read. On CPU it takes as long as
// the attention itself.
at::Tensor visited_fraction(const FusedAttentionCall& call);

// Returns the floating point operations a second that the fused kernels' matrix products reach at most on `threads`
// threads of this CPU, measured when called.
double fused_attention_peak(at::ScalarType type, int threads);
// Returns the instruction set that the CPU kernels use: "portable", "avx2", "avx512" or "avx512_bf16".
std::string fused_attention_instructions();

// Returns the bytes of working memory that a CPU kernel's backward pass over q [batch, heads, length, head_dim] and k,
// v [batch, kv_heads, length, head_dim] takes besides the tensors, on `threads` threads. table_length is that of a bias
// table, 0 without one.
std::int64_t fused_attention_workspace(at::ScalarType type, std::int64_t batch, std::int64_t heads,
                                       std::int64_t kv_heads, std::int64_t length, std::int64_t head_dim,
                                       std::int64_t table_length, int threads);

// Returns why the operator cannot serve tensors on this device ("cpu", "cuda") with this head_dim; empty if it can.
std::string fused_attention_refuses(const std::string& device, std::int64_t head_dim);

}  // namespace longbow
