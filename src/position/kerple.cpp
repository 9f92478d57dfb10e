// Implements KERPLE (Chi et al., NeurIPS 2022, section 4): a learned bias that falls with the distance d = i - j by one
// of two kernels of two numbers a head, p and a: -p ln(1 + a d), or -a d^p. p = 1 makes the second one ALiBi with
// learned slopes.
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <limits>

#include "kept_in_range.h"
#include "longbow/core/choice.h"
#include "longbow/position/position_method.h"

namespace longbow {

namespace {

enum class KerpleKernel { log, power };

}  // namespace

template <>
struct ChoiceTable<KerpleKernel> {
    static constexpr Choice<KerpleKernel> values[] = {{KerpleKernel::log, "log", "-p ln(1 + a d)"},
                                                      {KerpleKernel::power, "power", "-a d^p"}};
};

namespace {

// The authors keep both numbers above this, and the power at 2 or below.
constexpr double kLeast = 0.01;
constexpr double kMostPower = 2.0;

class KerplePosition final : public PositionMethod {
public:
    explicit KerplePosition(const PositionContext& context)
        : kernel_(option_choice<KerpleKernel>(context.options, "kernel")),
          shared_(option_bool(context.options, "shared")) {
        const auto layers = shared_ ? std::int64_t{1} : context.layers;
        p_ = register_parameter("p", at::empty({layers, context.heads}));
        a_ = register_parameter("a", at::empty({layers, context.heads}));
        reset_parameters();
    }

    BiasSpec bias(const PositionCall& call) override {
        const bool power = kernel_ == KerpleKernel::power;
        constexpr double kNoLimit = std::numeric_limits<double>::infinity();
        const auto layer = shared_ ? 0 : call.layer;
        const auto of_layer = [&](const at::Tensor& numbers, double most) {
            return kept_in_range(numbers, kLeast, most, call.training).select(0, layer).unsqueeze(1);
        };
        const auto p = of_layer(p_, power ? kMostPower : kNoLimit), a = of_layer(a_, kNoLimit);
        // The table has a column for each distance, so that none is cut off at any length.
        const auto distance = at::arange(std::max<std::int64_t>(call.keys, 1), p.options().requires_grad(false));
        BiasSpec spec;
        spec.table_fades = true;
        if (power) {
            // 0^p is 0, and its logarithm in the gradient of p is not finite: the nearest distance is left out of it.
            spec.table = distance.clamp_min(1.0).pow(p).mul(distance.gt(0)).mul(a.neg());
        } else {
            spec.table = distance.mul(a).log1p().mul(p.neg());
        }
        return spec;
    }

    [[nodiscard]] bool bias_differs_by_layer() const override { return !shared_; }

    void reset_parameters() override {
        const at::NoGradGuard no_grad;
        p_.uniform_(0.0, 2.0);
        a_.uniform_(0.0, 1.0);
    }

private:
    KerpleKernel kernel_;
    bool shared_;
    at::Tensor p_, a_;  // [layers, heads], or [1, heads] for all layers
};

std::vector<OptionSpec> kerple_options() {
    auto kernel = choice_option("kernel", KerpleKernel::log, "function of the distance d");
    kernel.since = "0.3.0";
    return {kernel,
            {.key = "shared",
             .default_value = true,
             .help = "one pair of numbers a head for all layers (as the authors have it), or one a layer",
             .since = "0.3.0"}};
}

}  // namespace

LONGBOW_REGISTER_POSITION({
    .name = "kerple",
    .help = "a learned kernel of the distance, two numbers a head (KERPLE, Chi et al., 2022)",
    .options = kerple_options(),
    .make = [](const PositionContext& context) { return std::make_shared<KerplePosition>(context); },
    .title = "KERPLE",
    .modifiers = {Modifier::temperature, Modifier::sinks, Modifier::sink_logit, Modifier::draw},
    .fades = true,
});

}  // namespace longbow
