#include "linear_head.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include "chunked_loss.h"
#include "dropout.h"
#include "first_weights.h"

namespace longbow {

LinearHead::LinearHead(const Config& config, std::int64_t vocab_size, const at::Tensor& tied, const at::TensorOptions& options)
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

at::Tensor LinearHead::nll(const at::Tensor& hidden, const at::Tensor& targets) { return chunked_nll(hidden, weight_, targets, chunk_); }

at::Tensor LinearHead::loss(const at::Tensor& hidden, const at::Tensor& targets, double scale) {
    return chunked_loss(dropout(hidden, is_training() ? dropout_ : 0.0), weight_, targets, scale, chunk_);
}

at::Tensor LinearHead::logits(const at::Tensor& hidden) {
    const auto values = plain_logits(hidden, weight_);
    return values.scalar_type() == at::kDouble ? values : values.to(at::kFloat);
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
