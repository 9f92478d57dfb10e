// Defines LayerNorm and RMSNorm over the last dimension, of which model.norm chooses one, and the RMSNorm of queries
// and keys.
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
    // `width` is the size of the last dimension; 0: model.dim.
    explicit Norm(const ModelConfig& config, const at::TensorOptions& options = {}, std::int64_t width = 0);
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
    std::int64_t width_;
    at::Tensor weight_, bias_;  // [width]; undefined in a norm without weights, or without a bias
};

// Returns x divided by the root mean square of its last dimension and times `weight`, in x's type: what RMSNorm makes
// of queries and keys, in at least fp32 whatever their type. weight [size of the last dimension] may be undefined; to
// that of NormKind::rmsnorm_1p one is added.
at::Tensor norm_of_queries_or_keys(const at::Tensor& x, const at::Tensor& weight, NormKind kind, double eps);

// Sets the weight of a norm to its first values, which leave what it is multiplied with as it is.
void reset_norm_weight(const at::Tensor& weight, NormKind kind);

}  // namespace longbow
