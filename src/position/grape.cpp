// Implements additive GRAPE (GRAPE-A, Zhang et al., ICLR 2026): ALiBi whose slopes are multiplied by a learned number
// of each head and by a gate of the query or of the key, softplus(u.q / sqrt(head_dim)) with a learned direction u a
// head.
#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/softplus.h>
#include <ATen/ops/tensor.h>

#include <cmath>

#include "alibi.h"
#include "earlier.h"
#include "longbow/core/choice.h"
#include "longbow/position/position_method.h"

namespace longbow {

namespace {

enum class GrapeGate { query, key };

}  // namespace

template <>
struct ChoiceTable<GrapeGate> {
    static constexpr Choice<GrapeGate> values[] = {{GrapeGate::query, "query", "a slope a query"},
                                                   {GrapeGate::key, "key", "a slope a key"}};
};

namespace {

class GrapePosition final : public PositionMethod {
public:
    explicit GrapePosition(const PositionContext& context) : gate_(option_choice<GrapeGate>(context.options, "gate")) {
        omega_ = register_parameter("omega", at::empty({context.layers, context.heads}));
        u_ = register_parameter("u", at::empty({context.layers, context.heads, context.head_dim()}));
        slopes_ = register_buffer("slopes", at::tensor(alibi_slopes(context.heads, SlopeRule::authors), at::kDouble));
        reset_parameters();
    }

    BiasSpec bias(const PositionCall& call) override {
        const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
        BiasSpec spec;
        switch (gate_) {
            case GrapeGate::query: spec.query_slopes = slopes_of(call.q, call.layer); break;
            case GrapeGate::key:
                spec.key_slopes = with_earlier(call, "slopes", slopes_of(call.k, call.layer), /*dim=*/2);
                break;
        }
        return spec;
    }

    [[nodiscard]] BiasParts parts_from_data(std::int64_t /*layer*/) const override {
        return {gate_ == GrapeGate::query ? BiasPart::query_slopes : BiasPart::key_slopes};
    }
    [[nodiscard]] bool bias_differs_by_layer() const override { return true; }

    void reset_parameters() override {
        const at::NoGradGuard no_grad;
        omega_.fill_(std::log(std::expm1(1.0)));  // softplus makes 1 of it
        u_.normal_(0.0, 1.0);                     // its length has no effect
    }

private:
    // Returns the slopes [batch, heads, length] of queries or keys [batch, heads or kv_heads, length, head_dim].
    [[nodiscard]] at::Tensor slopes_of(const at::Tensor& vectors, std::int64_t layer) const {
        const auto u = u_.select(0, layer);
        const auto direction = u.div(u.norm(2, {1}, /*keepdim=*/true)).unsqueeze(1);  // [heads, 1, head_dim]
        auto wide = vectors.to(u.scalar_type());
        if (wide.size(1) != u.size(0)) wide = wide.repeat_interleave(u.size(0) / wide.size(1), /*dim=*/1);
        const double scale = 1.0 / std::sqrt(static_cast<double>(u.size(1)));
        const auto gates = at::softplus(wide.mul(direction).sum(-1).mul(scale));
        const auto of_head = slopes_.to(u.scalar_type()).mul(at::softplus(omega_.select(0, layer)));
        return gates.mul(of_head.unsqueeze(1));
    }

    GrapeGate gate_;
    at::Tensor omega_;   // [layers, heads]
    at::Tensor u_;       // [layers, heads, head_dim]
    at::Tensor slopes_;  // [heads]
};

std::vector<OptionSpec> grape_options() {
    auto gate = choice_option("gate", GrapeGate::query, "whose vector the slope depends on");
    gate.since = "0.3.0";
    return {gate};
}

}  // namespace

LONGBOW_REGISTER_POSITION({
    .name = "grape",
    .help = "linear biases whose slopes each query or key sets (GRAPE-A, Zhang et al., 2026)",
    .options = grape_options(),
    .make = [](const PositionContext& context) { return std::make_shared<GrapePosition>(context); },
    .title = "GRAPE-A",
});

}  // namespace longbow
