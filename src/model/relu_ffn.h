// Computes the feed-forward layer with ReLU and the residual, r + relu(x W_in^T + b_in) W_out^T + b_out. Each thread
// takes its rows through all products, in chunks that stay in the cache between them. It is used where oneDNN serves
// (onednn.h).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "longbow/model/memory.h"

namespace longbow {

// Holds bytes for x [..., dim] and a hidden layer of ffn_dim, besides what its caller and its backward pass keep.
struct ReluFfnMemory {
    double backward = 0;
    double evaluation = 0;  // the hidden layer, or the parts of it that exist at once
};
ReluFfnMemory relu_ffn_memory(const PassSizes& pass, std::int64_t dim, std::int64_t ffn_dim);

// Returns the layer of x and residual [..., dim], weight_in [ffn_dim, dim] and weight_out [dim, ffn_dim], as [...,
// dim]; biases and residual may be undefined. The result can be differentiated once. The rounding of sums may depend on
// the number of threads.
at::Tensor relu_ffn(const at::Tensor& x, const at::Tensor& weight_in, const at::Tensor& bias_in,
                    const at::Tensor& weight_out, const at::Tensor& bias_out, const at::Tensor& residual);

}  // namespace longbow
