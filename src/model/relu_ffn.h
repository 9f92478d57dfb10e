// The feed-forward layer with ReLU and the residual, r + relu(x W_in^T + b_in) W_out^T + b_out. Threads take rows of it through all products, in
// chunks that stay in the cache from one to the next. Where oneDNN serves (onednn.h).
#pragma once

#include <ATen/core/Tensor.h>

namespace longbow {

// x and residual [..., dim], weight_in [ffn_dim, dim], weight_out [dim, ffn_dim]; biases and residual may be undefined -> [..., dim].
// Differentiable, once. How sums round may depend on the number of threads.
at::Tensor relu_ffn(const at::Tensor& x, const at::Tensor& weight_in, const at::Tensor& bias_in, const at::Tensor& weight_out,
                    const at::Tensor& bias_out, const at::Tensor& residual);

}  // namespace longbow
