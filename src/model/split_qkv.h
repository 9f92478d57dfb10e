// Splits a packed projection into its three parts, and joins their gradients without a copy.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>

namespace longbow {

// Returns q, k and v of `packed` [batch, length, 3, heads, head_dim], each as a view [batch, length, heads, head_dim].
// They are differentiable: if a back-end has written the three gradients as parts of one such tensor (the fused one
// does), that tensor is the gradient; else they are stacked.
std::array<at::Tensor, 3> split_qkv(const at::Tensor& packed);

}  // namespace longbow
