// Computes the softmax of rows of fp32 logits on CPU for the loss, in passes over each row while it is in the cache.
// Autograd does not see it.
#pragma once

#include <ATen/core/Tensor.h>

namespace longbow {

// Returns whether these kernels serve `logits` [n, words]: fp32 on CPU, rows contiguous.
bool softmax_rows_serves(const at::Tensor& logits);

// Returns log p(target) of each row, [n, 1]; target is [n, 1] int64. The result is NaN for a row with a NaN or
// +infinity; a logit of -infinity is a word that cannot occur.
at::Tensor log_likelihood(const at::Tensor& logits, const at::Tensor& target);

// Does the same and replaces the logits by d(-log p(target)) / dlogits = p - onehot(target).
at::Tensor log_likelihood_and_gradient_(const at::Tensor& logits, const at::Tensor& target);

}  // namespace longbow
