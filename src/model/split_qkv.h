// The three parts of a packed projection, and their gradients back into one without a copy.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>

namespace longbow {

// packed [batch, length, 3, heads, head_dim] -> q, k, v, each a view [batch, length, heads, head_dim]. Differentiable: where a back-end has
// written the three gradients as parts of one such tensor (the fused one does), that tensor is the gradient; else they are stacked.
std::array<at::Tensor, 3> split_qkv(const at::Tensor& packed);

}  // namespace longbow
