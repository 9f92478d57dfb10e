#include "alibi.h"

#include <algorithm>
#include <cmath>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>

#include "longbow/core/error.h"

namespace longbow {

namespace {

std::vector<double> geometric_slopes(std::int64_t heads, double bias_max) {
    std::vector<double> slopes;
    for (std::int64_t i = 1; i <= heads; ++i) {
        slopes.push_back(std::exp2(-bias_max * static_cast<double>(i) / static_cast<double>(heads)));
    }
    return slopes;
}

}  // namespace

std::vector<double> alibi_slopes(std::int64_t heads, SlopeRule rule, double bias_max) {
    std::int64_t lower = 1;
    while (lower * 2 <= heads) {
        lower *= 2;
    }
    if (rule == SlopeRule::geometric || lower == heads) {
        return geometric_slopes(heads, bias_max);
    }
    auto slopes = geometric_slopes(lower, bias_max);
    const auto finer = geometric_slopes(2 * lower, bias_max);
    for (std::size_t i = 0; slopes.size() < static_cast<std::size_t>(heads); i += 2) {
        slopes.push_back(finer[i]);
    }
    return slopes;
}

namespace {

// Conditions ask this of configurations in which the option may be missing.
bool is_exact(const OptionMap& options) {
    const auto set = options.find("rounding");
    return set == options.end() || set->second == OptionValue(std::string(name_of(AlibiRounding::none)));
}

// A bool that needs the exact form.
OptionSpec exact_option(const char* key, const char* help) {
    return {.key = key,
            .default_value = false,
            .help = help,
            .since = "0.3.0",
            .conditions = {{"position.rounding", "position.rounding: none",
                            [](const Config& config) { return is_exact(config.position.options); }}}};
}

OptionSpec rounding_option() {
    auto option = choice_option("rounding", AlibiRounding::none, "form of the bias");
    option.since = "0.3.0";
    return option;
}

}  // namespace

AlibiPosition::AlibiPosition(const PositionContext& context)
    : rounding_(option_choice<AlibiRounding>(context.options, "rounding")),
      scale_(option_double(context.options, "slope_scale")),
      interpolates_(option_bool(context.options, "interpolate")),
      train_length_(context.train_length) {
    auto slopes = alibi_slopes(context.heads, option_choice<SlopeRule>(context.options, "slopes"),
                               option_double(context.options, "bias_max"));
    if (rounding_ == AlibiRounding::none) {
        for (auto& slope : slopes) slope *= scale_;
    }
    if (interpolates_ && train_length_ == 0)
        throw ConfigError("position.interpolate: needs the length of the training, and train.length is 0");
    slopes_ = register_buffer("slopes", at::tensor(slopes, at::kDouble));
    if (option_bool(context.options, "trainable")) {
        trained_ = register_parameter("log_slopes", at::empty({context.layers, context.heads}));
        reset_parameters();
    }
}

void AlibiPosition::reset_parameters() {
    const at::NoGradGuard no_grad;
    if (trained_.defined()) trained_.copy_(slopes_.log());
}

at::Tensor AlibiPosition::slopes_of(std::int64_t layer, std::int64_t length) const {
    // A slope stays positive as the exponential of what is trained.
    const auto slopes = trained_.defined() ? trained_.select(0, layer).exp() : slopes_;
    if (!interpolates_ || length <= train_length_) return slopes;
    return slopes.mul(static_cast<double>(train_length_) / static_cast<double>(length));
}

BiasSpec AlibiPosition::bias(const PositionCall& call) {
    BiasSpec spec;
    switch (rounding_) {
        case AlibiRounding::none: spec.slopes = slopes_of(call.layer, call.evaluated_length); break;
        case AlibiRounding::falcon: spec.column = rounded_column(call.keys); break;
    }
    return spec;
}

at::Tensor AlibiPosition::rounded_column(std::int64_t keys) {
    const bool usable = column_.defined() && column_.dtype() == slopes_.dtype() && column_.device() == slopes_.device();
    if (!usable || column_.size(2) < keys) {
        // In a generation, keys come one by one.
        const auto enough = usable ? std::max(keys, 2 * column_.size(2)) : keys;
        const auto places = at::arange(enough, slopes_.options().dtype(at::kLong)).to(at::kBFloat16);
        const auto product = slopes_.to(at::kBFloat16).unsqueeze(1).mul(places);  // [heads, enough]
        // The scale is not among what is rounded: it divides the sum of score and bias.
        column_ = product.to(slopes_.scalar_type()).mul(scale_).unsqueeze(0);
    }
    return column_.narrow(2, 0, keys);
}

LONGBOW_REGISTER_POSITION({
    "alibi",
    "linear biases on attention scores, a slope a head; nothing learned (Press et al., 2022)",
    {{"slopes",
      std::string(name_of(SlopeRule::authors)),
      "rule when heads is not a power of two: the authors' interleave, or 2^(-bias_max i/heads)",
      choice_names<SlopeRule>(),
      {},
      {}},
     {"slope_scale", 1.0, "all slopes times this: with 8, a distance d has the bias that 8 d has with 1", {}, 1e-6, {}},
     {.key = "bias_max",
      .default_value = 8.0,
      .help = "the last of n heads has the slope 2^-bias_max, where n is a power of two",
      .minimum = 1e-6,
      .since = "0.3.0"},
     rounding_option(),
     exact_option("trainable", "slopes are trained, those of each layer by themselves, from the rule's on"),
     exact_option("interpolate",
                  "in windows beyond train.length, slopes are times train.length / length (Al-Khateeb et al., 2023)")},
    [](const PositionContext& context) { return std::make_shared<AlibiPosition>(context); },
    /*slopes=*/true,
    /*title=*/"ALiBi",
    /*slopes_if=*/is_exact,
    /*slopes_need=*/"position.rounding: " + std::string(name_of(AlibiRounding::none)),
    /*modifiers=*/{Modifier::temperature, Modifier::sinks, Modifier::sink_logit, Modifier::draw},
});

}  // namespace longbow
