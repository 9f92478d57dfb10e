// A linear layer through oneDNN with its gradients.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace longbow {

// activation(x W^T + bias), or residual + x W^T + bias (then relu is false). x [..., in], weight [out, in], bias [out], residual [..., out], all
// where onednn_serves (onednn.h). Differentiable once.
at::Tensor onednn_layer(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias, bool relu,
                        const std::optional<at::Tensor>& residual = std::nullopt);

}  // namespace longbow
