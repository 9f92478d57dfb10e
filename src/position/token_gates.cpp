#include "token_gates.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/log_sigmoid.h>

namespace longbow {

namespace {

constexpr double kDeviation = 0.02;

}  // namespace

GatedPosition::GatedPosition(const PositionContext& context, std::int64_t of_head)
    : heads_(context.heads), of_head_(of_head), gate_bias_(option_double(context.options, "gate_bias")) {
    const auto rows = heads_ * of_head_;
    weight_ = register_parameter("weight", at::empty({context.layers, rows, context.dim}));
    bias_ = register_parameter("bias", at::empty({context.layers, rows}));
    GatedPosition::reset_parameters();
}

at::Tensor GatedPosition::log_gates(const PositionCall& call) const {
    const auto logits =
        at::linear(call.x.to(weight_.scalar_type()), weight_.select(0, call.layer), bias_.select(0, call.layer));
    return at::log_sigmoid(logits.unflatten(-1, {heads_, of_head_}).transpose(1, 2));
}

void GatedPosition::reset_parameters() {
    const at::NoGradGuard no_grad;
    weight_.normal_(0.0, kDeviation);
    bias_.fill_(gate_bias_);
}

}  // namespace longbow
