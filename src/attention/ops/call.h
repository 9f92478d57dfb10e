// Holds one call of the operator: its checked arguments, and their conversion to the kernels' C boundary.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <tuple>

#include "attention/kernels/params.h"
#include "longbow/attention/fused_attention.h"

namespace longbow {

std::int32_t dtype_of(at::ScalarType type);  // longbow_dtype; fp32 for any other

// Throws c10::ValueError that names the wrong argument. The call must have a scale.
void check_call(const FusedAttentionCall& call);
FusedAttentionCall with_scale(FusedAttentionCall call);  // fills in 1 / sqrt(head_dim) if the call has no scale
double checked_skip_threshold(double threshold);         // replaces a negative one by the default; throws for 0 and NaN

// Fills in which queries see which keys. Nothing that is read or written is set: the only pointer is that to `lengths`,
// which are int32.
longbow_attention shape_of(const FusedAttentionCall& call);
// Makes the kernels' struct, which points into `call`'s tensors. These are replaced by dense copies where necessary
// (head_dim contiguous, fp32 biases).
longbow_attention boundary_of(FusedAttentionCall& call);

longbow_tensor4 rows_of_tensor(const at::Tensor& t);  // [batch, heads, length, head_dim], head_dim contiguous
at::Tensor with_dense_rows(const at::Tensor& t);      // t itself, or a copy whose head_dim is contiguous
// Returns an uninitialised [batch, heads, length, head_dim] laid out [batch, length, heads, head_dim], so that merging
// the heads is a view.
at::Tensor empty_merged(const at::Tensor& like);

// Returns uninitialised gradients of q, k and v: views of one buffer if q, k and v are, else like empty_merged().
std::tuple<at::Tensor, at::Tensor, at::Tensor> empty_gradients(const FusedAttentionCall& call);

}  // namespace longbow
