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
    if (!tied_) {
        weight_ = register_parameter("weight", at::empty({vocab_size, config.model.dim}, options));
        reset_parameters();
    }
}

at::Tensor LinearHead::nll(const at::Tensor& hidden, const at::Tensor& targets) {
    return chunked_nll(hidden, weight_, sent(targets, hidden.device()), chunk_);
}

at::Tensor LinearHead::loss(const at::Tensor& hidden, const at::Tensor& targets, double scale) {
    return chunked_loss(dropout(hidden, is_training() ? dropout_ : 0.0), weight_, sent(targets, hidden.device()), scale,
                        chunk_);
}

at::Tensor LinearHead::logits(const at::Tensor& hidden) {
    const auto values = plain_logits(hidden, weight_);
    return values.scalar_type() == at::kDouble ? values : values.to(at::kFloat);
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
    return memory;
}

void LinearHead::reset_parameters() {
    if (tied_) {
        return;
    }
    const at::NoGradGuard no_grad;
    weight_.normal_(0.0, word_deviation(init_, weight_.size(1)));
}

void LinearHead::list_tensors(std::vector<NamedTensor>& tensors) const {
    if (!tied_) {
        tensors.push_back({"head.weight", weight_});
    }
}

}  // namespace longbow
