// Computes the cross-entropy of a softmax over hidden W^T + b that never holds the whole [n, words]. It works in chunks
// of tokens, whose logits are replaced in place by their gradient and released before the next chunk. Both output heads
// are built on it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "longbow/model/memory.h"

namespace longbow {

// Holds the bytes of a loss besides its hidden states, for `tokens` of them (the number may be a mean) and a matrix
// [words, dim].
struct ChunkedLossMemory {
    double kept = 0;             // gradients of both, formed in the forward pass
    double weight_gradient = 0;  // part of it
    double most = 0;             // besides these, the peak within a chunk
};
ChunkedLossMemory chunked_loss_memory(const PassSizes& pass, double tokens, std::int64_t words, std::int64_t dim,
                                      std::int64_t chunk);
// Returns the peak memory of chunked_nll() over all of the pass's tokens.
double chunked_nll_memory(const PassSizes& pass, std::int64_t words, std::int64_t dim, std::int64_t chunk);

// Returns a scalar in fp32 (fp64 for fp64 weights) from hidden [n, dim], weight [words, dim], bias [words] or
// undefined, and targets [n] in [0, words): the sum of -log p(target) times `scale`, differentiable once. The gradients
// are formed in the forward pass. `chunk` is the number of tokens whose logits are held at once. Products are in
// autocast's type, the softmax in at least fp32. n may be 0; the gradients of weight and bias are then zero.
at::Tensor chunked_loss(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& bias,
                        const at::Tensor& targets, double scale, std::int64_t chunk);

// Returns -log p(target) of each token, [n], in fp32 (fp64), without gradient.
at::Tensor chunked_nll(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& bias,
                       const at::Tensor& targets, std::int64_t chunk);

// Returns hidden W^T [n, words] in autocast's type, without gradient.
at::Tensor plain_logits(const at::Tensor& hidden, const at::Tensor& weight);

}  // namespace longbow
