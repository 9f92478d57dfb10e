// LayerNorm or RMSNorm over the last dimension, by name.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <string>
#include <tuple>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/model/named_tensor.h"

namespace longbow {

class Norm : public torch::nn::Module {
public:
    explicit Norm(const ModelConfig& config, const at::TensorOptions& options = {});
    at::Tensor forward(const at::Tensor& x);
    // forward(x), and x to go on with beside it: the gradients of both then join in one pass where there is a kernel for it.
    std::tuple<at::Tensor, at::Tensor> beside_residual(const at::Tensor& x);
    void reset_parameters();

    void list_tensors(const std::string& name, std::vector<NamedTensor>& tensors) const;

private:
    bool rms_;
    double eps_;
    at::Tensor weight_, bias_;  // [dim]; no bias: undefined
};

}  // namespace longbow
