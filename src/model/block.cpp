#include "block.h"

#include <algorithm>
#include <string>

namespace longbow {

Block::Block(const ModelConfig& config, std::int64_t layer, const at::TensorOptions& options)
    : layer_(layer), dim_(config.dim), attention_(config, layer), feed_forward_(config) {
    norm1_ = register_module("norm1", std::make_shared<Norm>(config, options));
    norm2_ = register_module("norm2", std::make_shared<Norm>(config, options));
    attention_.register_weights(*this, options);
    feed_forward_.register_weights(*this, options);
    attention_.register_biases(*this, options);
    feed_forward_.register_biases(*this, options);
    reset_parameters();
}

at::Tensor Block::forward(const at::Tensor& x, const BlockPass& pass) {
    const auto [attention_in, residual] = norm1_->forward_with_residual(x);
    const auto attended = attention_.forward(attention_in, residual, pass, is_training());
    const auto [ffn_in, ffn_residual] = norm2_->forward_with_residual(attended);
    return feed_forward_.forward(ffn_in, ffn_residual, is_training());
}

LayerMemory Block::memory(const PassSizes& pass) const {
    const double stream = pass.tokens * static_cast<double>(dim_) * pass.wide;
    const auto norm1 = norm1_->memory(pass), norm2 = norm2_->memory(pass);
    const auto attention = attention_.memory(pass);
    const auto feed_forward = feed_forward_.memory(pass);
    // Each norm keeps the residual stream that it reads.
    const double at_norm1 = stream + norm1.kept;
    const double at_norm2 = stream + norm2.kept;
    LayerMemory memory;
    memory.input = stream;
    memory.kept = at_norm1 + attention.kept + at_norm2 + feed_forward.kept;
    memory.copies = attention.copies + feed_forward.copies;
    // The backward pass goes through the sub-layers, each of which releases what it has kept. The residual stream's
    // gradient always exists.
    const double back_through_ffn = memory.kept + memory.copies + stream + feed_forward.backward;
    const double behind = attention.projection_copies + stream + feed_forward.gradients + attention.gradients;
    const double back_through_attention = at_norm1 + attention.kept + behind + attention.backward;
    const double back_through_projection = at_norm1 + behind + attention.projection_backward;
    memory.backward = std::max({back_through_ffn, back_through_attention, back_through_projection});
    memory.evaluation =
        std::max(norm1.evaluation + attention.evaluation, stream + norm2.evaluation + feed_forward.evaluation);
    return memory;
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
