#include "block.h"

#include <string>

namespace longbow {

Block::Block(const ModelConfig& config, std::int64_t layer, const at::TensorOptions& options)
    : layer_(layer), attention_(config, layer), feed_forward_(config) {
    norm1_ = register_module("norm1", std::make_shared<Norm>(config, options));
    norm2_ = register_module("norm2", std::make_shared<Norm>(config, options));
    attention_.register_weights(*this, options);
    feed_forward_.register_weights(*this, options);
    attention_.register_biases(*this, options);
    feed_forward_.register_biases(*this, options);
    reset_parameters();
}

at::Tensor Block::forward(const at::Tensor& x, const BlockPass& pass) {
    const auto [attention_in, residual] = norm1_->beside_residual(x);
    const auto attended = attention_.forward(attention_in, residual, pass, is_training());
    const auto [ffn_in, ffn_residual] = norm2_->beside_residual(attended);
    return feed_forward_.forward(ffn_in, ffn_residual, is_training());
}

void Block::reset_parameters() {
    norm1_->reset_parameters();
    norm2_->reset_parameters();
    attention_.reset_weights();
    feed_forward_.reset_weights();
    attention_.reset_biases();
    feed_forward_.reset_biases();
}

void Block::list_tensors(std::vector<NamedTensor>& tensors) const {
    const std::string layer = "layers." + std::to_string(layer_) + ".";
    norm1_->list_tensors(layer + "norm1", tensors);
    attention_.list_tensors(layer, tensors);
    norm2_->list_tensors(layer + "norm2", tensors);
    feed_forward_.list_tensors(layer, tensors);
}

}  // namespace longbow
