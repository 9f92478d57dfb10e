// LayerNorm or RMSNorm over the last dimension (model.norm).
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <string>
#include <tuple>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/model/memory.h"
#include "longbow/model/named_tensor.h"

namespace longbow {

// Bytes, beside its input.
struct NormMemory {
    double kept = 0;        // for the backward pass: its output in the type of the product behind it, statistics
    double evaluation = 0;  // its output
};

class Norm : public torch::nn::Module {
public:
    explicit Norm(const ModelConfig& config, const at::TensorOptions& options = {});
    at::Tensor forward(const at::Tensor& x);
    // forward(x), and x to go on with beside it: the gradients of both then join in one pass where there is a kernel
    // for it.
    std::tuple<at::Tensor, at::Tensor> forward_with_residual(const at::Tensor& x);
    [[nodiscard]] NormMemory memory(const PassSizes& pass) const;
    void reset_parameters();

    void list_tensors(const std::string& name, std::vector<NamedTensor>& tensors) const;

private:
    NormKind kind_;
    double eps_;
    at::Tensor weight_, bias_;  // [dim]; no bias: undefined
};

}  // namespace longbow
