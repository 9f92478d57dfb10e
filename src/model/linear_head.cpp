#include "linear_head.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_log_softmax.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>

#include "product_type.h"
#include "dropout.h"
#include "longbow/model/linear.h"

namespace longbow {

namespace {

// Log-probabilities of a chunk [n, vocab] in fp32 (fp64): the product in autocast's type, the softmax never below fp32.
at::Tensor log_probabilities(const at::Tensor& hidden, const at::Tensor& weight_t, at::ScalarType wide) {
    return at::_log_softmax(gemm(hidden, weight_t).to(wide), -1, false);
}

// Sum of -log p(target), with the gradients of both inputs formed in the forward pass: the logits of a chunk of tokens become its
// probabilities and then its gradient in place, and are gone before the next chunk. backward() only scales.
class ChunkedLoss : public torch::autograd::Function<ChunkedLoss> {
public:
    static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& hidden, const at::Tensor& weight,
                              const at::Tensor& targets, double scale, std::int64_t chunk, bool hidden_grad, bool weight_grad) {
        const auto wide = weight.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
        const auto narrow = product_type(hidden);
        const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
        const auto rows = hidden.size(0);
        const auto all_hidden = hidden.to(narrow);
        const auto weight_in = weight.to(narrow);
        at::Tensor dhidden, dweight;
        if (hidden_grad) {
            dhidden = at::empty(hidden.sizes(), hidden.options());
        }
        auto sum = at::zeros({}, hidden.options().dtype(at::kDouble));
        for (std::int64_t begin = 0; begin < rows; begin += chunk) {
            const auto end = std::min(begin + chunk, rows);
            const auto part = all_hidden.slice(0, begin, end);
            const auto target = targets.slice(0, begin, end).unsqueeze(1);
            auto values = log_probabilities(part, weight_in.t(), wide);
            sum.sub_(values.gather(1, target).sum(at::kDouble));
            if (!hidden_grad && !weight_grad) {
                continue;
            }
            // d(-log p_t) / dlogits = p - onehot(t)
            values.exp_();
            values.scatter_add_(1, target, at::full({1, 1}, -1.0, values.options()).expand({end - begin, 1}));
            const auto dlogits = values.to(narrow);
            if (hidden_grad) {
                dhidden.slice(0, begin, end).copy_(gemm(dlogits, weight_in));
            }
            if (weight_grad) {
                const auto part_gradient = gemm(dlogits.t(), part);
                dweight = dweight.defined() ? dweight.add_(part_gradient) : part_gradient.to(weight.scalar_type());
            }
        }
        context->saved_data["scale"] = scale;
        context->save_for_backward({dhidden, dweight});
        return sum.mul(scale).to(wide);
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const auto factor = gradients[0].mul(context->saved_data["scale"].toDouble());
        const auto scaled = [&](const at::Tensor& gradient) {
            return gradient.defined() ? gradient.mul(factor.to(gradient.scalar_type())) : at::Tensor();
        };
        return {scaled(saved[0]), scaled(saved[1]), {}, {}, {}, {}, {}};
    }
};

}  // namespace

LinearHead::LinearHead(const Config& config, std::int64_t vocab_size, const at::Tensor& tied)
    : weight_(tied),
      tied_(tied.defined()),
      init_(config.model.init),
      dropout_(config.model.output_dropout),
      chunk_(config.train.loss_chunk) {
    if (!tied_) {
        weight_ = register_parameter("weight", at::empty({vocab_size, config.model.dim}));
        reset_parameters();
    }
}

at::Tensor LinearHead::nll(const at::Tensor& hidden, const at::Tensor& targets) {
    const at::NoGradGuard no_grad;
    const auto wide = weight_.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    const auto narrow = product_type(hidden);
    const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
    const auto weight_t = weight_.to(narrow).t();
    auto out = at::empty({hidden.size(0)}, hidden.options().dtype(wide));
    for (std::int64_t begin = 0; begin < hidden.size(0); begin += chunk_) {
        const auto end = std::min(begin + chunk_, hidden.size(0));
        const auto values = log_probabilities(hidden.slice(0, begin, end).to(narrow), weight_t, wide);
        out.slice(0, begin, end).copy_(values.gather(1, targets.slice(0, begin, end).unsqueeze(1)).squeeze(1).neg());
    }
    return out;
}

at::Tensor LinearHead::loss(const at::Tensor& hidden, const at::Tensor& targets, double scale) {
    const bool grad = at::GradMode::is_enabled();
    const auto input = dropout(hidden, is_training() ? dropout_ : 0.0);
    return ChunkedLoss::apply(input, weight_, targets, scale, chunk_, grad && input.requires_grad(), grad && weight_.requires_grad());
}

at::Tensor LinearHead::logits(const at::Tensor& hidden) {
    const auto narrow = product_type(hidden);
    const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
    const auto values = gemm(hidden.to(narrow), weight_.to(narrow).t());
    return values.scalar_type() == at::kDouble ? values : values.to(at::kFloat);
}

void LinearHead::reset_parameters() {
    if (tied_) {
        return;
    }
    const at::NoGradGuard no_grad;
    weight_.normal_(0.0, init_ == "gpt2" ? 0.02 : 1.0 / std::sqrt(static_cast<double>(weight_.size(1))));
}

}  // namespace longbow
