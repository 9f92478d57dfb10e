// The fused attention operator: softmax(scale * q k' + bias) v with the bias computed in registers, exact skipping of
// far blocks, and never a matrix of scores or biases in memory. C++ and Python (torch.ops.longbow, liblongbow_ops.so)
// reach the same registered operator.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>

namespace longbow {

// One call of the operator, in the order of its schema. The members behind q, k and v have defaults, so that a caller
// writes only those that it needs.
struct FusedAttentionCall {
    // [batch, heads, Lq, head_dim] and twice [batch, heads, Lk, head_dim], fp32, bf16 or fp16, head_dim a multiple of 8
    // up to 256, any strides (rows whose head_dim is not contiguous are copied).
    at::Tensor q{}, k{}, v{};
    std::optional<at::Tensor> slopes{};  // fp32 [heads] or [batch, heads], any sign: the bias is -slope * |distance|
    std::optional<at::Tensor> table{};   // fp32 [heads, M]: the bias is table[h, min(|distance|, M - 1)]
    std::optional<at::Tensor>
        lengths{};  // int32 or int64 [batch]: keys and queries at or beyond them do not exist (out = 0, lse = -inf)
    bool causal = true;       // query i of Lq stands at key position i + Lk - Lq
    std::int64_t window = 0;  // keys further back than window - 1 are hidden; 0: none are
    double dropout = 0.0;     // on the probabilities, in steps of 1/256; a function of the seed, offset and coordinates
    std::int64_t dropout_seed = 0;
    std::int64_t dropout_offset = 0;
    std::optional<double> scale{};  // 1 / sqrt(head_dim) by default
    double skip_threshold =
        -1.0;  // what is left out is below exp(-threshold) of a row's sum; < 0: 24 ln 2 (exact in fp32), inf: off
};

// -> out as q, laid out [batch, Lq, heads, head_dim]; lse fp32 [batch, heads, Lq], natural log. Differentiable in q, k,
// v, slopes and table. Throws c10::ValueError that names the argument as the schema does.
std::tuple<at::Tensor, at::Tensor> fused_attention(const FusedAttentionCall& call);

// As fused_attention, without gradients; also the share of the 64 x 64 blocks of scores below the diagonal (inside the
// window) that were visited, [batch, heads] fp32.
std::tuple<at::Tensor, at::Tensor, at::Tensor> fused_attention_visited(const FusedAttentionCall& call);

// That share alone, of a call with slopes, or none, as the only bias, without lengths and dropout; v is not read. On
// CPU it takes as long as the attention itself.
at::Tensor visited_fraction(const FusedAttentionCall& call);

// Floating point operations a second that the fused kernels' matrix products reach at most on `threads` threads of this
// CPU, measured now.
double fused_attention_peak(at::ScalarType type, int threads);
// The instruction set that the CPU kernels use: "portable", "avx2", "avx512", "avx512_bf16".
std::string fused_attention_instructions();

// Bytes of working memory that a CPU kernel's backward pass takes beside its tensors [batch, heads, length, head_dim],
// on `threads` threads; table_length: of a bias table, 0 without.
std::int64_t fused_attention_workspace(at::ScalarType type, std::int64_t batch, std::int64_t heads, std::int64_t length,
                                       std::int64_t head_dim, std::int64_t table_length, int threads);

// Why the operator cannot serve tensors on this device ("cpu", "cuda") with this head_dim; empty when it can.
std::string fused_attention_refuses(const std::string& device, std::int64_t head_dim);

}  // namespace longbow
