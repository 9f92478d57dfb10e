#include "block.h"

#include <algorithm>
#include <string>

#include "dropout.h"

namespace longbow {

Block::Block(const ModelConfig& config, std::int64_t layer, const at::TensorOptions& options)
    : kind_(config.block),
      dropout_(config.dropout),
      layer_(layer),
      dim_(config.dim),
      attention_(config, layer),
      feed_forward_(config) {
    norm1_ = register_module("norm1", std::make_shared<Norm>(config, options));
    if (kind_ != BlockKind::parallel_one_norm)
        norm2_ = register_module("norm2", std::make_shared<Norm>(config, options));
    attention_.register_weights(*this, options);
    feed_forward_.register_weights(*this, options);
    attention_.register_biases(*this, options);
    feed_forward_.register_biases(*this, options);
    reset_parameters();
}

at::Tensor Block::forward(const at::Tensor& x, const BlockPass& pass) {
    const bool training = is_training();
    switch (kind_) {
        case BlockKind::pre_norm: {
            const auto [attention_in, residual] = norm1_->forward_with_residual(x);
            const auto attended = attention_.forward(attention_in, residual, pass, training);
            const auto [ffn_in, ffn_residual] = norm2_->forward_with_residual(attended);
            return feed_forward_.forward(ffn_in, ffn_residual, training);
        }
        case BlockKind::normed_residual: {
            const auto attention_in = norm1_->forward(x);
            const auto ffn_in = norm2_->forward(attention_.forward(attention_in, attention_in, pass, training));
            return feed_forward_.forward(ffn_in, ffn_in, training);
        }
        case BlockKind::post_norm: {
            const auto attended = norm1_->forward(attention_.forward(x, x, pass, training));
            return norm2_->forward(feed_forward_.forward(attended, attended, training));
        }
        case BlockKind::sublayer_norm: {
            const auto attended = add_normed(x, *norm1_, attention_.forward(x, at::Tensor(), pass, training));
            return add_normed(attended, *norm2_, feed_forward_.forward(attended, at::Tensor(), training));
        }
        case BlockKind::parallel: {
            const auto [attention_in, residual] = norm1_->forward_with_residual(x);
            const auto attended = attention_.forward(attention_in, residual, pass, training);
            return feed_forward_.forward(norm2_->forward(x), attended, training);
        }
        case BlockKind::parallel_one_norm: {
            const auto [normed, residual] = norm1_->forward_with_residual(x);
            return feed_forward_.forward(normed, attention_.forward(normed, residual, pass, training), training);
        }
    }
    return {};
}

// A sub-layer's result may be in half precision; a norm takes the residual stream's type.
at::Tensor Block::add_normed(const at::Tensor& residual, Norm& norm, const at::Tensor& y) const {
    return add_dropout(residual, norm.forward(y.to(residual.scalar_type())), is_training() ? dropout_ : 0.0);
}

LayerMemory Block::memory(const PassSizes& pass) const {
    const double stream = pass.tokens * static_cast<double>(dim_) * pass.wide;
    const auto norm1 = norm1_->memory(pass), norm2 = norm2_ == nullptr ? NormMemory() : norm2_->memory(pass);
    const auto attention = attention_.memory(pass);
    const auto feed_forward = feed_forward_.memory(pass);
    // Each norm keeps the stream that it reads: the residual stream, or in other orders a sub-layer's result or sum, as
    // large and as many. Parallel sub-layers read one stream, whose gradient through the second of them waits for that
    // through the first.
    const bool parallel = kind_ == BlockKind::parallel || kind_ == BlockKind::parallel_one_norm;
    const double at_norm1 = stream + norm1.kept;
    const double at_norm2 = (parallel ? 0 : stream) + norm2.kept;
    const double waiting = parallel ? stream : 0;
    LayerMemory memory;
    memory.input = stream;
    memory.kept = at_norm1 + attention.kept + at_norm2 + feed_forward.kept;
    memory.copies = attention.copies + feed_forward.copies;
    // The backward pass goes through the sub-layers, each of which releases what it has kept. The residual stream's
    // gradient always exists.
    const double back_through_ffn = memory.kept + memory.copies + stream + feed_forward.backward;
    const double behind = attention.projection_copies + stream + waiting + feed_forward.gradients + attention.gradients;
    const double back_through_attention = at_norm1 + attention.kept + behind + attention.backward;
    const double back_through_projection = at_norm1 + behind + attention.projection_backward;
    memory.backward = std::max({back_through_ffn, back_through_attention, back_through_projection});
    memory.evaluation =
        std::max(norm1.evaluation + attention.evaluation, stream + norm2.evaluation + feed_forward.evaluation);
    return memory;
}

void Block::reset_parameters() {
    norm1_->reset_parameters();
    if (norm2_ != nullptr) norm2_->reset_parameters();
    attention_.reset_weights();
    feed_forward_.reset_weights();
    attention_.reset_biases();
    feed_forward_.reset_biases();
}

void Block::list_tensors(std::vector<NamedTensor>& tensors) const {
    const std::string layer = "layers." + std::to_string(layer_) + ".";
    norm1_->list_tensors(layer + "norm1", tensors);
    attention_.list_tensors(layer, tensors);
    if (norm2_ != nullptr) norm2_->list_tensors(layer + "norm2", tensors);
    feed_forward_.list_tensors(layer, tensors);
}

}  // namespace longbow
