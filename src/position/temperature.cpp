// Multiplies queries by a factor that makes up for the number of keys: the more of them a softmax has, the flatter it
// is. n is the number of keys that a query sees without a window: 1 for the first token, also where positions are
// drawn.
#include <fmt/core.h>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>

#include <cmath>
#include <utility>

#include "longbow/core/choice.h"
#include "longbow/core/error.h"
#include "position_modifier.h"

namespace longbow {

namespace {

enum class Temperature { none, log_n, ssmax, head_scale, llama4 };

}  // namespace

template <>
struct ChoiceTable<Temperature> {
    static constexpr Choice<Temperature> values[] = {
        {Temperature::none, "none", "1"},
        {Temperature::log_n, "log_n", "max(1, ln n / ln temperature_length) (Chiang and Cholak, 2022; Qwen)"},
        {Temperature::ssmax, "ssmax", "s ln n, with a trained s a head and layer, at first 0.4 (Nakanishi, 2025)"},
        {Temperature::head_scale, "head_scale", "a trained number a head and layer, at first 1 (Wang et al., 2024)"},
        {Temperature::llama4, "llama4", "1 + temperature_scale ln(floor(n / temperature_floor) + 1) (Llama 4)"}};
};

namespace {

constexpr double kFirstSsmax = 0.4;

class TemperaturePosition final : public ModifiedPosition {
public:
    TemperaturePosition(std::shared_ptr<PositionMethod> host, Temperature form, const PositionContext& context)
        : ModifiedPosition(std::move(host)),
          form_(form),
          length_(option_int(context.options, "temperature_length")),
          floor_(option_int(context.options, "temperature_floor")),
          scale_(option_double(context.options, "temperature_scale")) {
        if (length_ == 0) length_ = context.train_length;
        if (form_ == Temperature::log_n && length_ < 2) {
            throw ConfigError(fmt::format(
                "position.temperature_length: log_n divides by its logarithm, so that {} cannot serve", length_));
        }
        if (!is_trained()) return;
        trained_ = register_parameter("temperature", at::empty({context.layers, context.heads}));
        if (form_ == Temperature::ssmax && option_bool(context.options, "temperature_bias"))
            bias_ = register_parameter("temperature_bias", at::empty({context.layers, context.heads}));
        set_first_values();
    }

    Rotated rotate(const PositionCall& call) override {
        auto rotated = host().rotate(call);
        if (const auto factor = factor_of(call); factor.defined()) {
            for (auto* q : {&rotated.q, &rotated.far_q}) {
                // A factor in half precision would be off by up to 1/256 for all keys alike.
                if (q->defined()) *q = q->mul(factor).to(q->scalar_type());
            }
        }
        return rotated;
    }

    [[nodiscard]] std::vector<std::string> describe(std::int64_t evaluated_length) const override {
        auto lines = host().describe(evaluated_length);
        if (is_trained()) {
            lines.push_back(fmt::format("queries are multiplied by {}, a number a head and layer",
                                        bias_.defined()               ? "a trained number times ln n plus another one"
                                        : form_ == Temperature::ssmax ? "a trained number times ln n"
                                                                      : "a trained one"));
        } else if (evaluated_length > 0) {
            const auto last = fixed(at::arange(evaluated_length, evaluated_length + 1, at::kDouble));
            lines.push_back(
                fmt::format("the query of token {} is multiplied by {:.8g}", evaluated_length, last.item<double>()));
        }
        return lines;
    }

    void reset_parameters() override {
        host().reset_parameters();
        if (is_trained()) set_first_values();
    }

private:
    [[nodiscard]] bool is_trained() const { return form_ == Temperature::ssmax || form_ == Temperature::head_scale; }

    void set_first_values() {
        const at::NoGradGuard no_grad;
        trained_.fill_(form_ == Temperature::ssmax ? kFirstSsmax : 1.0);
        if (bias_.defined()) bias_.zero_();
    }

    // Returns the factors of numbers n of keys, in fp64, with the forms that have no parameter.
    [[nodiscard]] at::Tensor fixed(const at::Tensor& n) const {
        if (form_ == Temperature::log_n) return n.log().div(std::log(static_cast<double>(length_))).clamp_min(1.0);
        return n.div(static_cast<double>(floor_)).floor().log1p().mul(scale_).add(1.0);
    }

    // Returns the factors of the new tokens, [1 or heads, 1 or length, 1], in the model's wide type. Undefined: all are
    // 1, so that a run costs nothing at the lengths that it was trained with.
    [[nodiscard]] at::Tensor factor_of(const PositionCall& call) const {
        if (form_ == Temperature::head_scale) return trained_.select(0, call.layer).view({-1, 1, 1});
        if (form_ == Temperature::log_n && call.keys <= length_) return {};
        if (form_ == Temperature::llama4 && call.keys < floor_) return {};
        const auto first = call.keys - call.q.size(2) + 1;
        const auto n = at::arange(first, call.keys + 1, call.q.options().dtype(at::kDouble));
        if (form_ == Temperature::ssmax) {
            const auto s = trained_.select(0, call.layer).view({-1, 1, 1});
            const auto factor = n.log().to(s.scalar_type()).unsqueeze(1).mul(s);
            return bias_.defined() ? factor.add(bias_.select(0, call.layer).view({-1, 1, 1})) : factor;
        }
        const auto wide = call.q.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
        return fixed(n).to(wide).view({1, -1, 1});
    }

    Temperature form_;
    std::int64_t length_, floor_;
    double scale_;
    at::Tensor trained_, bias_;  // [layers, heads]; undefined where the form has none
};

Condition with(Temperature form) {
    const std::string name(name_of(form));
    return {"position.temperature", "position.temperature: " + name, [name](const Config& config) {
                const auto set = config.position.options.find("temperature");
                return set != config.position.options.end() && set->second == OptionValue(name);
            }};
}

std::vector<OptionSpec> temperature_options() {
    auto form = choice_option("temperature", Temperature::none,
                              "factor on queries, where n is the number of keys that a query sees without a window");
    form.since = "0.3.0";
    return {form,
            {.key = "temperature_length",
             .default_value = std::int64_t{0},
             .help = "keys up to which queries are as they are; 0: train.length",
             .minimum = 0,
             .since = "0.3.0",
             .conditions = {with(Temperature::log_n)}},
            {.key = "temperature_bias",
             .default_value = false,
             .help = "s ln n + b, with a trained b a head and layer too, at first 0",
             .since = "0.3.0",
             .conditions = {with(Temperature::ssmax)}},
            {.key = "temperature_floor",
             .default_value = std::int64_t{8192},
             .help = "keys in a step of the factor",
             .minimum = 1,
             .since = "0.3.0",
             .conditions = {with(Temperature::llama4)}},
            {.key = "temperature_scale",
             .default_value = 0.1,
             .help = "what the logarithm of the steps is multiplied by",
             .minimum = 0.0,
             .since = "0.3.0",
             .conditions = {with(Temperature::llama4)}}};
}

std::shared_ptr<PositionMethod> with_temperature(std::shared_ptr<PositionMethod> host, const PositionContext& context) {
    const auto form = option_choice<Temperature>(context.options, "temperature");
    if (form == Temperature::none) return host;
    return std::make_shared<TemperaturePosition>(std::move(host), form, context);
}

}  // namespace

LONGBOW_REGISTER_MODIFIER({
    .modifier = Modifier::temperature,
    .options = temperature_options(),
    .wrap = with_temperature,
});

}  // namespace longbow
