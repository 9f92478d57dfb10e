// One pre-LN decoder layer: x += attention(norm1(x)); x += ffn(norm2(x)).
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <memory>
#include <string>
#include <vector>

#include "longbow/attention/attention_backend.h"
#include "longbow/config/config.h"
#include "longbow/model/language_model.h"
#include "longbow/position/position_method.h"
#include "norm.h"
#include "stored_piece.h"

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

class Block : public torch::nn::Module {
public:
    Block(const ModelConfig& config, std::int64_t layer);
    // x [batch, length, dim] -> the same shape.
    at::Tensor forward(const at::Tensor& x, const BlockPass& pass);
    void reset_parameters();
    void list_pieces(std::vector<StoredPiece>& pieces) const;

private:
    at::Tensor attention(const at::Tensor& x, const BlockPass& pass);  // before the output projection
    // residual + dropout(x W^T + bias)
    at::Tensor add_linear(const at::Tensor& residual, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);
    at::Tensor feed_forward(const at::Tensor& x, const at::Tensor& residual);  // residual + dropout(layer(x))
    at::Tensor ffn_hidden(const at::Tensor& x);                                // before the output projection
    at::Tensor qkv_bias() const;
    double in_training(double p) const { return is_training() ? p : 0.0; }

    ModelConfig config_;
    std::int64_t layer_;
    std::shared_ptr<Norm> norm1_, norm2_;
    at::Tensor qkv_weight_;                     // [3 * dim, dim]: q, k, v as one product
    at::Tensor qkv_bias_;                       // [3 * dim], or [2 * dim] (q, v) without a key bias
    at::Tensor out_weight_, out_bias_;          // [dim, dim], [dim]
    at::Tensor ffn_in_weight_, ffn_in_bias_;    // [ffn_dim, dim]; swiglu: [2 * ffn_dim, dim], the gate second
    at::Tensor ffn_out_weight_, ffn_out_bias_;  // [dim, ffn_dim], [dim]
};

}  // namespace longbow
