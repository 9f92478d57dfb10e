// linear() with the ReLU inside the product's epilogue: the pre-activation is never written.
#pragma once

#include <ATen/core/Tensor.h>

namespace longbow {

at::Tensor linear_relu(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

}  // namespace longbow
