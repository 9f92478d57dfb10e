// Computes a linear layer through oneDNN, with its gradients.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace longbow {

// Returns activation(x W^T + bias), or residual + x W^T + bias (relu must then be false). x [..., in], weight [out,
// in], bias [out], residual [..., out], for tensors that onednn_serves() (onednn.h) accepts. Differentiable once.
at::Tensor onednn_layer(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias, bool relu,
                        const std::optional<at::Tensor>& residual = std::nullopt);

}  // namespace longbow
