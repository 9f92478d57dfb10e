// Implements PoPE (Gopalakrishnan et al., 2025): each element n of a head is a number in polar form, whose magnitude is
// the softplus of the projection and whose angle is the position times base^(-n/D). A trained phase delta of each head
// and element is taken off the angle between query and key. Written as cosines and sines, queries and keys are twice
// as wide, and their product is the sum of softplus(q) softplus(k) cos((i - j) theta - delta).
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/softplus.h>

#include <cmath>
#include <numbers>

#include "kept_in_range.h"
#include "longbow/position/position_method.h"

namespace longbow {

namespace {

class PopePosition final : public PositionMethod {
public:
    explicit PopePosition(const PositionContext& context)
        : head_dim_(context.head_dim()), base_(option_double(context.options, "base")) {
        delta_ = register_parameter("delta", at::empty({context.layers, context.heads, head_dim_}));
        reset_parameters();
    }

    Rotated rotate(const PositionCall& call) override {
        const auto type = call.q.scalar_type();
        const auto wide = type == at::kDouble ? at::kDouble : at::kFloat;
        const auto& [cos, sin] = waves(call.positions, wide);
        // Heads that share a key have phases of their own, so that these are the queries'. The phase is small, and the
        // sum of angles is needed to the same precision at far positions: it is taken by the formula for cosines.
        const auto in_range = kept_in_range(delta_, -2.0 * std::numbers::pi, 0.0, call.training);
        const auto delta = in_range.select(0, call.layer).to(wide).unsqueeze(1);
        const auto phase_cos = delta.cos(), phase_sin = delta.sin();
        const auto query_cos = cos.mul(phase_cos).add(sin.mul(phase_sin));
        const auto query_sin = sin.mul(phase_cos).sub(cos.mul(phase_sin));
        return {.q = wave(call.q, query_cos, query_sin), .k = wave(call.k, cos, sin)};
    }

    void reset_parameters() override {
        const at::NoGradGuard no_grad;
        delta_.zero_();
    }

private:
    struct Waves {
        at::Tensor cos{}, sin{};  // [length, head_dim]
    };

    // Returns x as magnitudes, times these cosines and, beside them, these sines.
    static at::Tensor wave(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
        const auto magnitude = at::softplus(x.to(cos.scalar_type()));
        return at::cat({magnitude.mul(cos), magnitude.mul(sin)}, -1).to(x.scalar_type());
    }

    // All layers of a pass share the last ones.
    const Waves& waves(const at::Tensor& positions, at::ScalarType type) {
        if (positions_.defined() && positions_.is_same(positions) && waves_.cos.scalar_type() == type) return waves_;
        // Angles in fp32 would be off by 1e-3 at position 65,535.
        const auto n = at::arange(head_dim_, positions.options().dtype(at::kDouble));
        const auto frequencies = n.mul(-std::log(base_) / static_cast<double>(head_dim_)).exp();
        const auto angles = positions.to(at::kDouble).unsqueeze(1).mul(frequencies);
        waves_ = {angles.cos().to(type), angles.sin().to(type)};
        positions_ = positions;
        return waves_;
    }

    std::int64_t head_dim_;
    double base_;
    at::Tensor delta_;      // [layers, heads, head_dim]
    at::Tensor positions_;  // those that waves_ were made for
    Waves waves_;
};

}  // namespace

LONGBOW_REGISTER_POSITION({
    .name = "pope",
    .help = "queries and keys in polar form, whose angle is the position alone (PoPE, Gopalakrishnan et al., 2025)",
    .options = {{.key = "base",
                 .default_value = 10000.0,
                 .help = "element n of a head turns by position * base^(-n/dim)",
                 .minimum = 1.0,
                 .since = "0.3.0"}},
    .make = [](const PositionContext& context) { return std::make_shared<PopePosition>(context); },
    .title = "PoPE",
    .modifiers = {Modifier::temperature, Modifier::sinks, Modifier::sink_logit, Modifier::draw},
});

}  // namespace longbow
