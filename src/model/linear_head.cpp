#include "linear_head.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include "chunked_loss.h"
#include "dropout.h"
#include "first_weights.h"
#include "longbow/model/send.h"

namespace longbow {

LinearHead::LinearHead(const Config& config, std::int64_t vocab_size, const at::Tensor& tied,
                       const at::TensorOptions& options)
    : weight_(tied),
      tied_(tied.defined()),
      init_(config.model.init),
      dropout_(config.model.output_dropout),
      chunk_(config.train.loss_chunk) {
    const auto& model = config.model;
    if (model.token_dim() != model.dim) {
        project_out_ = register_module("project_out",
                                       std::make_shared<Projection>(model.dim, model.token_dim(), model.init, options));
    }
    if (!tied_) weight_ = register_parameter("weight", at::empty({vocab_size, model.token_dim()}, options));
    if (model.head_bias) bias_ = register_parameter("bias", at::empty({vocab_size}, options));
    if (!tied_) reset_parameters();
}

at::Tensor LinearHead::projected(const at::Tensor& hidden) {
    return project_out_ == nullptr ? hidden : project_out_->forward(hidden);
}

at::Tensor LinearHead::nll(const at::Tensor& hidden, const at::Tensor& targets) {
    const at::NoGradGuard no_grad;
    return chunked_nll(projected(hidden), weight_, bias_, sent(targets, hidden.device()), chunk_);
}

at::Tensor LinearHead::loss(const at::Tensor& hidden, const at::Tensor& targets, double scale) {
    return chunked_loss(dropout(projected(hidden), is_training() ? dropout_ : 0.0), weight_, bias_,
                        sent(targets, hidden.device()), scale, chunk_);
}

at::Tensor LinearHead::logits(const at::Tensor& hidden) {
    const at::NoGradGuard no_grad;
    const auto values = plain_logits(projected(hidden), weight_);
    const auto wide = values.scalar_type() == at::kDouble ? values : values.to(at::kFloat);
    return bias_.defined() ? wide.add(bias_) : wide;
}

HeadMemory LinearHead::memory(const PassSizes& pass) const {
    const auto words = weight_.size(0), dim = weight_.size(1);
    const auto loss = chunked_loss_memory(pass, pass.tokens, words, dim, chunk_);
    HeadMemory memory;
    memory.loss = loss.kept + loss.most;
    if (dropout_ > 0) memory.loss += pass.tokens * static_cast<double>(dim) * pass.wide;  // its output
    memory.handed_on = loss.kept;
    memory.weight_gradients = loss.weight_gradient;
    if (tied_) memory.tied_gradients = memory.weight_gradients;
    memory.evaluation = chunked_nll_memory(pass, words, dim, chunk_);
    if (project_out_ == nullptr) return memory;
    // The projection keeps the hidden states; its result and that one's gradient are of the embedding's width. Behind
    // it, the gradients of the hidden states and of its weight.
    const double width = static_cast<double>(project_out_->product_weights()) / static_cast<double>(dim);
    const double kept = pass.tokens * width * pass.narrow;
    const double result = pass.tokens * static_cast<double>(dim) * pass.wide;
    memory.loss += kept + result;
    memory.handed_on += kept;
    memory.hidden_gradient += pass.tokens * width * pass.wide;
    memory.evaluation += result;
    return memory;
}

void LinearHead::reset_parameters() {
    const at::NoGradGuard no_grad;
    if (bias_.defined()) bias_.zero_();
    if (project_out_ != nullptr) project_out_->reset_parameters();
    if (tied_) {
        return;
    }
    weight_.normal_(0.0, word_deviation(init_, weight_.size(1)));
}

void LinearHead::list_tensors(std::vector<NamedTensor>& tensors) const {
    if (project_out_ != nullptr) project_out_->list_tensors("head.project_out", tensors);
    if (!tied_) tensors.push_back({"head.weight", weight_});
    if (bias_.defined()) tensors.push_back({"head.bias", bias_});
}

}  // namespace longbow
