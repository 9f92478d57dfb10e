// Defines a linear map without a bias between the width of the token embedding and that of the model, for
// model.embedding_dim.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <string>
#include <vector>

#include "longbow/model/choices.h"
#include "longbow/model/named_tensor.h"

namespace longbow {

class Projection : public torch::nn::Module {
public:
    Projection(std::int64_t in, std::int64_t out, FirstWeights init, const at::TensorOptions& options = {});
    // Maps x [.., in] to [.., out] in x's type, also where autocast computes the product in half precision.
    at::Tensor forward(const at::Tensor& x);
    // Returns the number of weights that multiply each token.
    [[nodiscard]] std::int64_t product_weights() const { return weight_.numel(); }
    // Draws the initial values from the default generator.
    void reset_parameters();
    // `name` is the tensor's without ".weight".
    void list_tensors(const std::string& name, std::vector<NamedTensor>& tensors) const;

private:
    FirstWeights init_;
    at::Tensor weight_;  // [out, in]
};

}  // namespace longbow
