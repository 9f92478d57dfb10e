// Defines the attention sub-layer of a block: the projection to queries, keys and values, a back-end's attention, and
// the output projection.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <optional>
#include <string>
#include <vector>

#include "longbow/attention/attention_backend.h"
#include "longbow/config/config.h"
#include "longbow/model/language_model.h"
#include "longbow/model/memory.h"
#include "longbow/model/named_tensor.h"
#include "longbow/position/position_method.h"

namespace longbow {

// Holds what all layers of one forward pass share.
struct BlockPass {
    AttentionBackend& backend;
    PositionMethod& position;
    const PositionCall& call;  // of the pass; a layer adds its own tensors
    BiasSpec bias;
    AttentionScratch* scratch;
    KvCache* cache;  // may be null
};

// Holds bytes besides its input and the residual stream.
struct SelfAttentionMemory {
    // for the backward pass: q, k, v, what the back-end keeps, its output
    double kept = 0;
    double copies = 0;             // of its weights in half precision
    double projection_copies = 0;  // the part of these for the projection to q, k, v
    // of the output projection and the back-end, besides `kept` and the incoming gradient
    double backward = 0;
    // of the projection to q, k, v, when `kept` has been released
    double projection_backward = 0;
    double gradients = 0;  // of the output projection, as far as they remain
    double evaluation = 0;
};

// Its parameters are registered in the block, which registers all weights of its parts before all biases. Gradient
// norms and the ranks' buckets follow that order, so changing it would change the numbers of every run made so far.
class SelfAttention {
public:
    SelfAttention(const ModelConfig& config, std::int64_t layer);
    void register_weights(torch::nn::Module& block, const at::TensorOptions& options);
    void register_biases(torch::nn::Module& block, const at::TensorOptions& options);

    // Returns residual + dropout(attention(x)); x, residual and result are [batch, length, dim]. `training` turns
    // dropout on. An undefined residual stands for the layer's result alone, before its dropout.
    at::Tensor forward(const at::Tensor& x, const at::Tensor& residual, const BlockPass& pass, bool training);

    [[nodiscard]] SelfAttentionMemory memory(const PassSizes& pass) const;

    // Draw the initial values from the default generator, in an order that later versions must keep: GPT-2's biases
    // come after all weights of the block.
    void reset_weights();
    void reset_biases();
    // Returns the number of weights that multiply each token.
    [[nodiscard]] std::int64_t product_weights() const { return qkv_weight_.numel() + out_weight_.numel(); }
    // `layer` is a prefix such as "layers.0.".
    void list_tensors(const std::string& layer, std::vector<NamedTensor>& tensors) const;

private:
    at::Tensor attend(const at::Tensor& x, const BlockPass& pass, bool training);  // without the output projection
    // Fills in the bias: that of the pass, or what the position method makes of this layer's tokens.
    static void set_bias(AttentionInput& input, const PositionCall& call, const BlockPass& pass);
    // Lets the position method compute the attention.
    [[nodiscard]] at::Tensor attend_by_method(const AttentionInput& input, const PositionCall& call,
                                              const BlockPass& pass) const;
    [[nodiscard]] at::Tensor qkv_bias() const;
    // Applies model.qk_norm to queries or keys [batch, length, heads, head_dim].
    [[nodiscard]] at::Tensor normed(const at::Tensor& x, const at::Tensor& weight) const;
    // Returns the factor on q.k; absent: the back-end's default, 1 / sqrt(head_dim).
    [[nodiscard]] std::optional<double> score_scale() const;
    // Returns the bytes that clip and norms keep for the backward pass besides q, k and v themselves.
    [[nodiscard]] double kept_by_clip_and_norms(const PassSizes& pass) const;

    ModelConfig config_;
    std::int64_t layer_;
    std::int64_t heads_, kv_heads_, head_dim_;
    std::int64_t q_rows_, kv_rows_;  // of the projection: heads * head_dim, kv_heads * head_dim
    at::Tensor qkv_weight_;          // [q_rows + 2 kv_rows, dim]: q, k, v as one product
    at::Tensor qkv_bias_;            // [q_rows + 2 kv_rows], or [q_rows + kv_rows] (q, v) without a key bias
    at::Tensor q_norm_, k_norm_;     // weights of the norms: [head_dim], or [q_rows] and [kv_rows] with QkNorm::whole
    at::Tensor out_weight_, out_bias_;  // [dim, q_rows], [dim]
};

}  // namespace longbow
