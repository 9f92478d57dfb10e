// The softmax of rows of logits on CPU while each is in the cache, for the loss: fp32, without autograd.
#pragma once

#include <ATen/core/Tensor.h>

namespace longbow {

// Whether the kernels here serve `logits` [n, words]: fp32 on CPU, rows contiguous.
bool softmax_rows_serves(const at::Tensor& logits);

// log p(target) of each row, [n, 1]; target [n, 1] int64. NaN where a row has a NaN or +infinity; a logit of -infinity is a word
// that cannot come.
at::Tensor log_likelihood(const at::Tensor& logits, const at::Tensor& target);

// The same, and logits become d(-log p(target)) / dlogits = p - onehot(target).
at::Tensor log_likelihood_and_gradient_(const at::Tensor& logits, const at::Tensor& target);

}  // namespace longbow
