// Implements LayerNorm of a residual stream on CPU whose backward pass also adds the residual's gradient. It takes one
// pass over the rows where ATen takes two and autograd another to add both gradients.
#pragma once

#include <ATen/core/Tensor.h>

#include <tuple>

namespace longbow {

// Returns whether residual_norm() serves x [..., dim] with these weights: fp32 on CPU, contiguous, no autocast.
bool residual_norm_serves(const at::Tensor& x, const at::Tensor& weight);

// Returns LayerNorm(x) over the last dimension, and x itself for use as the residual. weight [dim]; bias [dim] or
// undefined. Differentiable once.
std::tuple<at::Tensor, at::Tensor> residual_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                                                 double eps);

}  // namespace longbow
