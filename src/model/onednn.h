// fp32 products through oneDNN, which LibTorch carries beside MKL. No autograd.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

namespace longbow {

// How ATen's operators take an absent tensor.
inline std::optional<at::Tensor> if_defined(const at::Tensor& tensor) { return tensor.defined() ? std::optional(tensor) : std::nullopt; }

// Whether products of x [..., in] with weight [out, in] go through oneDNN here and now: it was chosen (linear.h), both are fp32 on CPU with no
// autocast, and there are rows enough.
bool onednn_serves(const at::Tensor& x, const at::Tensor& weight);

// activation(x W^T + bias): x [m, k] (any strides), weight [n, k] (any strides), bias [n] or none -> [m, n]. activation: "none", "relu".
at::Tensor onednn_linear(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias, const char* activation);

// The same without an activation, plus addend [m, n] contiguous, in one pass.
at::Tensor onednn_linear_add(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                             const at::Tensor& addend);

// The weight [n, k] in the layout in which a product with so many rows is quicker, for the two functions above only: oneDNN packs a transposed weight
// faster than a plain one, by more than the transposition takes where there are many rows and outputs; for very many rows, in oneDNN's own
// layout, which takes longer to make.
at::Tensor quick_weight(const at::Tensor& weight, std::int64_t rows);

// a [m, k] x b [k, n] -> [m, n] contiguous; a may be a transposed view.
at::Tensor onednn_gemm(const at::Tensor& a, const at::Tensor& b);

}  // namespace longbow
