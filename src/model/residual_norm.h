// LayerNorm of a residual stream on CPU, whose backward pass also adds the gradient that the residual brings: one pass over the rows where
// ATen takes two and autograd a sum of both.
#pragma once

#include <ATen/core/Tensor.h>

#include <tuple>

namespace longbow {

// Whether residual_norm serves x [..., dim] with these weights: fp32 on CPU, contiguous, no autocast.
bool residual_norm_serves(const at::Tensor& x, const at::Tensor& weight);

// -> LayerNorm(x) over the last dimension, and x itself to go on with as the residual. weight [dim]; bias [dim] or undefined.
// Differentiable once.
std::tuple<at::Tensor, at::Tensor> residual_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, double eps);

}  // namespace longbow
