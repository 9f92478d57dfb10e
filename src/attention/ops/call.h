// One call of the operator, checked and in the form of the kernels' boundary.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <tuple>

#include "attention/kernels/params.h"
#include "longbow/attention/fused_attention.h"

namespace longbow {

std::int32_t dtype_of(at::ScalarType type);  // longbow_dtype; fp32 for any other

// Throws c10::ValueError naming the argument. The scale must be there.
void check_call(const FusedAttentionCall& call);
FusedAttentionCall with_scale(FusedAttentionCall call);  // 1 / sqrt(head_dim) where it has none
double checked_skip_threshold(double threshold);         // < 0 becomes the default

// Which queries see which keys, and nothing that is read or written: no pointer but that to lengths, which are int32.
longbow_attention shape_of(const FusedAttentionCall& call);
// The struct for the kernels, which points into `call`'s tensors: these become dense where they must (head_dim
// contiguous, fp32 biases).
longbow_attention boundary_of(FusedAttentionCall& call);

longbow_tensor4 rows_of_tensor(const at::Tensor& t);  // [batch, heads, length, head_dim], head_dim contiguous
at::Tensor with_dense_rows(const at::Tensor& t);      // t itself, or a copy whose head_dim is contiguous
// Uninitialised [batch, heads, length, head_dim] laid out [batch, length, heads, head_dim], so that merging the heads
// is a view.
at::Tensor empty_merged(const at::Tensor& like);

// Uninitialised gradients of q, k and v: views of one buffer where these are, else like empty_merged.
std::tuple<at::Tensor, at::Tensor, at::Tensor> empty_gradients(const FusedAttentionCall& call);

}  // namespace longbow
