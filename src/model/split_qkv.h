// Splits a packed projection into its three parts, and joins their gradients without a copy.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>

namespace longbow {

// Returns q [batch, length, heads, head_dim], k and v [batch, length, kv_heads, head_dim] as views of `packed` [batch,
// length, heads + 2 kv_heads, head_dim], which has them one after the other. They are differentiable: if a back-end has
// written the three gradients as parts of one such tensor (the fused one does), that tensor is the gradient; else they
// are joined.
std::array<at::Tensor, 3> split_qkv(const at::Tensor& packed, std::int64_t kv_heads);

}  // namespace longbow
