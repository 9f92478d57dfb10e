// One call of the operator, checked and in the form of the kernels' boundary.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <tuple>

#include "attention/kernels/params.h"

namespace longbow {

// The operator's arguments behind q, k, v; see include/longbow/attention/fused_attention.h.
struct AttentionCall {
    at::Tensor q, k, v;
    std::optional<at::Tensor> slopes, table, lengths;
    bool causal;
    std::int64_t window;
    double dropout;
    std::int64_t dropout_seed, dropout_offset;
    double scale;
};

std::int32_t dtype_of(at::ScalarType type);  // longbow_dtype; fp32 for any other

// Throws c10::ValueError naming the argument.
void check_call(const AttentionCall& call);
double scale_or_default(std::optional<double> scale, const at::Tensor& q);  // 1 / sqrt(head_dim)
double checked_skip_threshold(double threshold);                            // < 0 becomes the default

// The struct for the kernels, which points into `call`'s tensors: these become dense where they must (head_dim contiguous, fp32 biases).
longbow_attention boundary_of(AttentionCall& call);

longbow_tensor4 rows_of_tensor(const at::Tensor& t);  // [batch, heads, length, head_dim], head_dim contiguous
at::Tensor with_dense_rows(const at::Tensor& t);      // t itself, or a copy whose head_dim is contiguous
// Uninitialised [batch, heads, length, head_dim] laid out [batch, length, heads, head_dim], so that merging the heads is a view.
at::Tensor empty_merged(const at::Tensor& like);

// Uninitialised gradients of q, k and v: views of one buffer where these are, else like empty_merged.
std::tuple<at::Tensor, at::Tensor, at::Tensor> empty_gradients(const AttentionCall& call);

}  // namespace longbow
