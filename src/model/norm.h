// Defines LayerNorm and RMSNorm over the last dimension, of which model.norm chooses one.
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

// Holds bytes besides its input.
struct NormMemory {
    // for the backward pass: its output in the type of the product after it, and statistics
    double kept = 0;
    double evaluation = 0;  // its output
};

class Norm : public torch::nn::Module {
public:
    explicit Norm(const ModelConfig& config, const at::TensorOptions& options = {});
    at::Tensor forward(const at::Tensor& x);
    // Returns forward(x), and x for use as the residual. Where there is a kernel for it, the gradients of both are
    // joined in one pass.
    std::tuple<at::Tensor, at::Tensor> forward_with_residual(const at::Tensor& x);
    [[nodiscard]] NormMemory memory(const PassSizes& pass) const;
    void reset_parameters();

    void list_tensors(const std::string& name, std::vector<NamedTensor>& tensors) const;

private:
    NormKind kind_;
    double eps_;
    at::Tensor weight_, bias_;  // [dim]; undefined without a bias
};

}  // namespace longbow
