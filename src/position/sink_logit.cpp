// Gives each head and layer a trained logit that takes part of each row's weight, as one more key without a value does
// (gpt-oss, 2025). A head that finds nothing to attend to needs no first token to put its weight on.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>

#include <utility>

#include "longbow/core/error.h"
#include "position_modifier.h"

namespace longbow {

namespace {

class SinkLogitPosition final : public ModifiedPosition {
public:
    SinkLogitPosition(std::shared_ptr<PositionMethod> host, const PositionContext& context)
        : ModifiedPosition(std::move(host)),
          logit_(register_parameter("sink_logit", at::zeros({context.layers, context.heads}))) {}

    BiasSpec bias(const PositionCall& call) override {
        auto spec = host().bias(call);
        spec.sink_logit = logit_.select(0, call.layer);
        return spec;
    }

    [[nodiscard]] BiasParts parts_from_data(std::int64_t layer) const override {
        auto parts = host().parts_from_data(layer);
        // A bias that is made inside a layer names all of its parts.
        if (!parts.empty()) parts.add(BiasPart::sink_logit);
        return parts;
    }
    [[nodiscard]] bool bias_differs_by_layer() const override { return true; }
    [[nodiscard]] bool bias_as_before(std::int64_t /*layer*/) const override { return false; }

    void reset_parameters() override {
        host().reset_parameters();
        const at::NoGradGuard no_grad;
        logit_.zero_();
    }

private:
    at::Tensor logit_;  // [layers, heads]
};

std::shared_ptr<PositionMethod> with_sink_logit(std::shared_ptr<PositionMethod> host, const PositionContext& context) {
    if (!option_bool(context.options, "sink_logit")) return host;
    for (std::int64_t layer = 0; layer < context.layers; ++layer) {
        if (host->attends(layer)) {
            throw ConfigError(
                "position.sink_logit: the position method computes attention itself, where no back-end adds a sink "
                "logit; leave it out");
        }
    }
    return std::make_shared<SinkLogitPosition>(std::move(host), context);
}

}  // namespace

LONGBOW_REGISTER_MODIFIER({
    .modifier = Modifier::sink_logit,
    .options = {{.key = "sink_logit",
                 .default_value = false,
                 .help = "a trained logit a head and layer, at first 0, takes part of each row's weight (gpt-oss)",
                 .since = "0.3.0"}},
    .wrap = with_sink_logit,
});

}  // namespace longbow
