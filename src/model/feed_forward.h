// Defines the feed-forward sub-layer of a block: a projection to model.ffn_dim, the activation, and a projection back.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <string>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/model/memory.h"
#include "longbow/model/named_tensor.h"

namespace longbow {

// Holds bytes besides its input and the residual stream.
struct FeedForwardMemory {
    // for the backward pass: the hidden layer in each state that a derivative needs
    double kept = 0;
    double copies = 0;      // of its weights in half precision
    double backward = 0;    // besides `kept` and the incoming gradient
    double gradients = 0;   // of its weights, as far as they remain
    double evaluation = 0;  // its output included
};

// Its parameters are registered in the block, like SelfAttention's (self_attention.h).
class FeedForward {
public:
    explicit FeedForward(const ModelConfig& config) : config_(config) {}
    void register_weights(torch::nn::Module& block, const at::TensorOptions& options);
    void register_biases(torch::nn::Module& block, const at::TensorOptions& options);

    // Returns residual + dropout(layer(x)); x, residual and result are [batch, length, dim]. `training` turns dropout
    // on. An undefined residual stands for layer(x) alone.
    at::Tensor forward(const at::Tensor& x, const at::Tensor& residual, bool training);

    [[nodiscard]] FeedForwardMemory memory(const PassSizes& pass) const;

    void reset_weights();
    void reset_biases();
    // Returns the number of weights that multiply each token.
    [[nodiscard]] std::int64_t product_weights() const { return in_weight_.numel() + out_weight_.numel(); }
    void list_tensors(const std::string& layer, std::vector<NamedTensor>& tensors) const;

private:
    at::Tensor activated(const at::Tensor& x);  // [..., dim] -> [..., ffn_dim]
    // Whether the first projection also computes a gate for the hidden layer.
    [[nodiscard]] bool gated() const;
    [[nodiscard]] std::int64_t in_rows() const { return (gated() ? 2 : 1) * config_.ffn_dim; }

    ModelConfig config_;
    // [ffn_dim, dim], [ffn_dim]; with a gate [2 * ffn_dim, dim], where the gate is the second half.
    at::Tensor in_weight_, in_bias_;
    at::Tensor out_weight_, out_bias_;  // [dim, ffn_dim], [dim]
};

}  // namespace longbow
