// Implements Wall attention (Tilde Research, 2026, in flash-linear-attention): each channel of each head has a gate in
// (0, 1) at each token, computed from what the layer's attention projects, and the channel's part of a score is
// multiplied by the gates of the tokens after the key, up to the query's own.
#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/log_sigmoid.h>

#include "earlier.h"

namespace longbow {

namespace {

constexpr double kDeviation = 0.02;

class WallPosition final : public PositionMethod {
public:
    explicit WallPosition(const PositionContext& context)
        : heads_(context.heads),
          head_dim_(context.head_dim()),
          gate_bias_(option_double(context.options, "gate_bias")) {
        const auto rows = heads_ * head_dim_;
        weight_ = register_parameter("weight", at::empty({context.layers, rows, context.dim}));
        bias_ = register_parameter("bias", at::empty({context.layers, rows}));
        reset_parameters();
    }

    BiasSpec bias(const PositionCall& call) override {
        // Gates near 1 differ by less than half precision tells, and their errors add up over the tokens.
        const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
        const auto logits =
            at::linear(call.x.to(weight_.scalar_type()), weight_.select(0, call.layer), bias_.select(0, call.layer));
        const auto gates = at::log_sigmoid(logits.unflatten(-1, {heads_, head_dim_}).transpose(1, 2));
        BiasSpec spec;
        // [batch, heads, keys, head_dim]
        spec.channel = with_earlier(call, "gates", gates, /*dim=*/2).cumsum(2, at::kDouble);
        return spec;
    }

    [[nodiscard]] BiasParts parts_from_data(std::int64_t /*layer*/) const override { return {BiasPart::channel}; }
    [[nodiscard]] bool bias_differs_by_layer() const override { return true; }

    void reset_parameters() override {
        const at::NoGradGuard no_grad;
        weight_.normal_(0.0, kDeviation);
        bias_.fill_(gate_bias_);
    }

private:
    std::int64_t heads_, head_dim_;
    double gate_bias_;
    at::Tensor weight_;  // [layers, heads * head_dim, dim]
    at::Tensor bias_;    // [layers, heads * head_dim]
};

}  // namespace

LONGBOW_REGISTER_POSITION({
    .name = "wall",
    .help = "each channel fades by gates that the tokens set (Wall attention, Tilde Research, 2026)",
    .options = {{.key = "gate_bias",
                 .default_value = 8.0,
                 .help = "first value of the gates' bias; at 8 they are nearly open",
                 .since = "0.3.0"}},
    .make = [](const PositionContext& context) { return std::make_shared<WallPosition>(context); },
    .title = "Wall",
});

}  // namespace longbow
