// Computes fp32 products through oneDNN, which LibTorch contains beside MKL. Autograd does not see them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

namespace longbow {

// Converts a tensor to the form in which ATen's operators take an absent one.
inline std::optional<at::Tensor> if_defined(const at::Tensor& tensor) {
    return tensor.defined() ? std::optional(tensor) : std::nullopt;
}

// Returns whether products of x [..., in] with weight [out, in] go through oneDNN now: it was chosen (linear.h), both
// are fp32 on CPU without autocast, and there are enough rows.
bool onednn_serves(const at::Tensor& x, const at::Tensor& weight);

// Returns activation(x W^T + bias), [m, n]: x [m, k] (any strides), weight [n, k] (any strides), bias [n] or none.
// activation is "none" or "relu".
at::Tensor onednn_linear(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                         const char* activation);

// Returns x W^T + bias + addend in one pass; addend [m, n] is contiguous.
at::Tensor onednn_linear_add(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                             const at::Tensor& addend);

// Returns the weight [n, k] in the layout that makes a product with `rows` rows faster, for the two functions above
// only. oneDNN packs a transposed weight faster than a plain one, by more than the transposition takes if there are
// many rows and outputs. For very many rows it is oneDNN's own layout, which takes longer to make.
at::Tensor weight_in_fast_layout(const at::Tensor& weight, std::int64_t rows);

// Returns the product [m, n], contiguous, of a [m, k] and b [k, n]; `a` may be a transposed view.
at::Tensor onednn_gemm(const at::Tensor& a, const at::Tensor& b);

}  // namespace longbow
