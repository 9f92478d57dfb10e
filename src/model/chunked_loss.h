// Cross-entropy of a softmax over hidden W^T without ever holding the whole [n, words]: chunks of tokens, whose logits
// become their own gradient in place and are gone before the next chunk. What both output heads are made of.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "longbow/model/memory.h"

namespace longbow {

// Bytes of a loss beside its hidden states, for `tokens` of them, which may be a mean, and a matrix [words, dim].
struct ChunkedLossMemory {
    double kept = 0;             // the gradients of both, formed in the forward pass
    double weight_gradient = 0;  // part of it
    double most = 0;             // beside these, at one moment of a chunk
};
ChunkedLossMemory chunked_loss_memory(const PassSizes& pass, double tokens, std::int64_t words, std::int64_t dim,
                                      std::int64_t chunk);
// Of chunked_nll() over all of the pass's tokens: the most at one moment.
double chunked_nll_memory(const PassSizes& pass, std::int64_t words, std::int64_t dim, std::int64_t chunk);

// Sum of -log p(target) times `scale`, differentiable once: hidden [n, dim], weight [words, dim], targets [n] in [0,
// words) -> scalar in fp32 (fp64 for fp64 weights). The gradients are formed in the forward pass. chunk: tokens whose
// logits are held at once. Products in autocast's type, the softmax never below fp32. n may be 0: the gradient of
// weight is then zero.
at::Tensor chunked_loss(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets, double scale,
                        std::int64_t chunk);

// -log p(target) of each token, [n], in fp32 (fp64), without gradient.
at::Tensor chunked_nll(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets,
                       std::int64_t chunk);

// hidden W^T [n, words] in autocast's type, without gradient.
at::Tensor plain_logits(const at::Tensor& hidden, const at::Tensor& weight);

}  // namespace longbow
