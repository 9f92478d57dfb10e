// The attention sub-layer of a block: the projection to queries, keys and values, a back-end's attention, the
// projection of its output.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <string>
#include <vector>

#include "longbow/attention/attention_backend.h"
#include "longbow/config/config.h"
#include "longbow/model/language_model.h"
#include "longbow/model/memory.h"
#include "longbow/model/named_tensor.h"
#include "longbow/position/position_method.h"

namespace longbow {

// What all layers of one forward pass share.
struct BlockPass {
    AttentionBackend& backend;
    PositionMethod& position;
    const at::Tensor& positions;  // [length] int64 of the new tokens
    BiasSpec bias;
    AttentionScratch* scratch;
    KvCache* cache;  // may be null
};

// Bytes, beside its input and the residual stream.
struct SelfAttentionMemory {
    double kept = 0;               // for the backward pass: q, k, v, what the back-end keeps, its output
    double copies = 0;             // of its weights in half precision
    double projection_copies = 0;  // of these, of the projection to q, k, v
    double backward = 0;  // of the output's projection and the back-end, beside `kept` and the gradient that comes in
    double projection_backward = 0;  // of the projection to q, k, v, when `kept` has gone
    double gradients = 0;            // of the output's projection, as far as they stay
    double evaluation = 0;
};

// Its parameters are the block's, which registers all weights of its parts before all biases: norms of gradients and
// the ranks' buckets follow that order, and so do the numbers of every run made so far.
class SelfAttention {
public:
    SelfAttention(const ModelConfig& config, std::int64_t layer) : config_(config), layer_(layer) {}
    void register_weights(torch::nn::Module& block, const at::TensorOptions& options);
    void register_biases(torch::nn::Module& block, const at::TensorOptions& options);

    // residual + dropout(attention(x)); x, residual and result [batch, length, dim]. training: dropout is on.
    at::Tensor forward(const at::Tensor& x, const at::Tensor& residual, const BlockPass& pass, bool training);

    [[nodiscard]] SelfAttentionMemory memory(const PassSizes& pass) const;

    // First weights, drawn from the default generator in an order that later versions keep: GPT-2's biases come behind
    // all weights of the block.
    void reset_weights();
    void reset_biases();
    // Numbers of the weights that multiply each token.
    [[nodiscard]] std::int64_t product_weights() const { return qkv_weight_.numel() + out_weight_.numel(); }
    // layer: "layers.0."
    void list_tensors(const std::string& layer, std::vector<NamedTensor>& tensors) const;

private:
    at::Tensor attend(const at::Tensor& x, const BlockPass& pass, bool training);  // before the output projection
    [[nodiscard]] at::Tensor qkv_bias() const;

    ModelConfig config_;
    std::int64_t layer_;
    at::Tensor qkv_weight_;             // [3 * dim, dim]: q, k, v as one product
    at::Tensor qkv_bias_;               // [3 * dim], or [2 * dim] (q, v) without a key bias
    at::Tensor out_weight_, out_bias_;  // [dim, dim], [dim]
};

}  // namespace longbow
