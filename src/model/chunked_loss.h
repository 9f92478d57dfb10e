// Cross-entropy of a softmax over hidden W^T without ever holding the whole [n, words]: chunks of tokens, whose logits become their own
// gradient in place and are gone before the next chunk. What both output heads are made of.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace longbow {

// Sum of -log p(target) times `scale`, differentiable once: hidden [n, dim], weight [words, dim], targets [n] in [0, words) -> scalar in
// fp32 (fp64 for fp64 weights). The gradients are formed in the forward pass. chunk: tokens whose logits are held at once. Products
// in autocast's type, the softmax never below fp32. n may be 0: the gradient of weight is then zero.
at::Tensor chunked_loss(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets, double scale, std::int64_t chunk);

// -log p(target) of each token, [n], in fp32 (fp64), without gradient.
at::Tensor chunked_nll(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets, std::int64_t chunk);

// hidden W^T [n, words] in autocast's type, without gradient.
at::Tensor plain_logits(const at::Tensor& hidden, const at::Tensor& weight);

}  // namespace longbow
