// The feed-forward sub-layer of a block: a projection to model.ffn_dim, the activation, the projection back.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <string>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/model/memory.h"
#include "longbow/model/named_tensor.h"

namespace longbow {

// Bytes, beside its input and the residual stream.
struct FeedForwardMemory {
    double kept = 0;        // for the backward pass: the hidden layer in each state that a derivative needs
    double copies = 0;      // of its weights in half precision
    double backward = 0;    // beside `kept` and the gradient that comes in
    double gradients = 0;   // of its weights, as far as they stay
    double evaluation = 0;  // with its output
};

// Its parameters are the block's, as SelfAttention's are (self_attention.h).
class FeedForward {
public:
    explicit FeedForward(const ModelConfig& config) : config_(config) {}
    void register_weights(torch::nn::Module& block, const at::TensorOptions& options);
    void register_biases(torch::nn::Module& block, const at::TensorOptions& options);

    // residual + dropout(layer(x)); x, residual and result [batch, length, dim]. training: dropout is on.
    at::Tensor forward(const at::Tensor& x, const at::Tensor& residual, bool training);

    [[nodiscard]] FeedForwardMemory memory(const PassSizes& pass) const;

    void reset_weights();
    void reset_biases();
    // Numbers of the weights that multiply each token.
    [[nodiscard]] std::int64_t product_weights() const { return in_weight_.numel() + out_weight_.numel(); }
    void list_tensors(const std::string& layer, std::vector<NamedTensor>& tensors) const;

private:
    at::Tensor activated(const at::Tensor& x);  // [.., dim] -> [.., ffn_dim]
    [[nodiscard]] bool gated() const;           // the first projection has a gate beside the hidden layer
    [[nodiscard]] std::int64_t in_rows() const { return (gated() ? 2 : 1) * config_.ffn_dim; }

    ModelConfig config_;
    at::Tensor in_weight_, in_bias_;    // [ffn_dim, dim], [ffn_dim]; swiglu: [2 * ffn_dim, dim], the gate second
    at::Tensor out_weight_, out_bias_;  // [dim, ffn_dim], [dim]
};

}  // namespace longbow
