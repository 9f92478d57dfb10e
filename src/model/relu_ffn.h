// The feed-forward layer with ReLU, relu(x W_in^T + b_in) W_out^T + b_out, whose backward pass goes in chunks of rows that stay in the cache from
// one product to the next. Where oneDNN serves (onednn.h).
#pragma once

#include <ATen/core/Tensor.h>

namespace longbow {

// x [..., dim], weight_in [ffn_dim, dim], weight_out [dim, ffn_dim], biases may be undefined -> [..., dim]. Differentiable.
at::Tensor relu_ffn(const at::Tensor& x, const at::Tensor& weight_in, const at::Tensor& bias_in, const at::Tensor& weight_out,
                    const at::Tensor& bias_out);

}  // namespace longbow
