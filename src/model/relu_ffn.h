// The feed-forward layer with ReLU and the residual, r + relu(x W_in^T + b_in) W_out^T + b_out. Threads take rows of it
// through all products, in chunks that stay in the cache from one to the next. Where oneDNN serves (onednn.h).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "longbow/model/memory.h"

namespace longbow {

// Bytes for x [.., dim] and a hidden layer of ffn_dim, beside what its caller and its backward pass keep.
struct ReluFfnMemory {
    double backward = 0;
    double evaluation = 0;  // the hidden layer, or the parts of it that are there at once
};
ReluFfnMemory relu_ffn_memory(const PassSizes& pass, std::int64_t dim, std::int64_t ffn_dim);

// x and residual [..., dim], weight_in [ffn_dim, dim], weight_out [dim, ffn_dim]; biases and residual may be undefined
// -> [..., dim]. Differentiable, once. How sums round may depend on the number of threads.
at::Tensor relu_ffn(const at::Tensor& x, const at::Tensor& weight_in, const at::Tensor& bias_in,
                    const at::Tensor& weight_out, const at::Tensor& bias_out, const at::Tensor& residual);

}  // namespace longbow
