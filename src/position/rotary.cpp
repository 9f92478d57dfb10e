#include "rotary.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>
#include <utility>

#include "longbow/core/error.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

std::int64_t even(std::int64_t count, const char* what) {
    if (count % 2 != 0) {
        throw ConfigError(
            fmt::format("position.method: rotary rotates pairs, so {} must be even, not {}", what, count));
    }
    return count;
}

// Which scaling is set; conditions ask this of configurations in which an option may be missing.
RotaryScaling scaling_of(const OptionMap& options) {
    const auto set = options.find("scaling");
    if (set == options.end()) return RotaryScaling::none;
    const auto& name = std::get<std::string>(set->second);
    const auto scaling = choice_named<RotaryScaling>(name);
    if (!scaling) {
        throw ConfigError("position.scaling: \"" + name +
                          "\" is not supported; there are: " + join(choice_names<RotaryScaling>(), ", "));
    }
    return *scaling;
}

double number_of(const OptionMap& options, const char* key) {
    const auto set = options.find(key);
    return set == options.end() ? 0.0 : std::get<double>(set->second);
}

// Returns the numbers of a list as text, "1.5, 2", of which longrope needs one for each pair.
std::vector<double> factors_of(const OptionMap& options, const char* key, std::int64_t pairs) {
    std::vector<double> numbers;
    const auto text = option_string(options, key);
    if (!trim(text).empty()) {
        for (const auto& part : split(text, ',')) {
            const auto item = trim(part);
            const auto* end = item.data() + item.size();
            auto& number = numbers.emplace_back();
            if (const auto read = std::from_chars(item.data(), end, number);
                read.ec != std::errc() || read.ptr != end || !std::isfinite(number) || number <= 0.0)
                throw ConfigError(fmt::format("position.{}: \"{}\" is not a number above 0", key, item));
        }
    }
    if (static_cast<std::int64_t>(numbers.size()) != pairs) {
        throw ConfigError(fmt::format(
            "position.{}: with position.scaling: longrope it needs {} numbers with commas between them, one "
            "for each pair that turns (half the rotated elements of a head); it has {}",
            key, pairs, numbers.size()));
    }
    return numbers;
}

RotarySettings settings_of(const PositionContext& context) {
    const auto& options = context.options;
    RotarySettings s;
    s.base = option_double(options, "base");
    const auto head_dim = even(context.head_dim(), "the size of a head (model.head_dim, or model.dim / model.heads)");
    s.dim = even(option_int(options, "dim"), "position.dim");
    if (s.dim > head_dim) {
        throw ConfigError(
            fmt::format("position.dim: a head has {} elements, so that {} cannot be rotated", head_dim, s.dim));
    }
    if (s.dim == 0) s.dim = head_dim;
    s.scaling = scaling_of(options);
    s.factor = option_double(options, "factor");
    s.original_length = option_int(options, "original_length");
    if (s.original_length == 0) s.original_length = context.train_length;
    s.low_freq_factor = option_double(options, "low_freq_factor");
    s.high_freq_factor = option_double(options, "high_freq_factor");
    s.beta_fast = option_double(options, "beta_fast");
    s.beta_slow = option_double(options, "beta_slow");
    s.attention_factor = option_double(options, "attention_factor");
    s.mscale = option_double(options, "mscale");
    s.mscale_all_dim = option_double(options, "mscale_all_dim");
    s.truncate = option_bool(options, "truncate");
    s.share = option_double(options, "share");
    if (s.scaling == RotaryScaling::llama3 && s.high_freq_factor <= s.low_freq_factor)
        throw ConfigError("position.high_freq_factor: must be above position.low_freq_factor");
    if (s.scaling == RotaryScaling::yarn && s.beta_fast < s.beta_slow)
        throw ConfigError("position.beta_fast: must not be below position.beta_slow");
    if (s.scaling == RotaryScaling::yarn && s.base <= 1.0)
        throw ConfigError("position.base: must be above 1 with position.scaling: yarn");
    if (s.scaling == RotaryScaling::longrope) {
        if (s.original_length < 2)
            throw ConfigError("position.original_length: must be above 1 with position.scaling: longrope");
        s.short_factors = factors_of(options, "short_factors", s.dim / 2);
        s.long_factors = factors_of(options, "long_factors", s.dim / 2);
    }
    return s;
}

// ---- when an option has an effect ----

// With one of these scalings.
Condition with(std::vector<RotaryScaling> scalings) {
    std::vector<std::string> names;
    for (const auto scaling : scalings) names.emplace_back(name_of(scaling));
    return {"position.scaling", "position.scaling: " + join(names, " or "), [scalings](const Config& config) {
                const auto set = scaling_of(config.position.options);
                return std::find(scalings.begin(), scalings.end(), set) != scalings.end();
            }};
}

// Only if yarn's factor on the scores comes from the formula.
Condition by_formula() {
    return {"position.attention_factor", "position.attention_factor: 0",
            [](const Config& config) { return number_of(config.position.options, "attention_factor") == 0.0; }};
}

Condition with_the_other(const char* other) {
    return {std::string("position.") + other, std::string("position.") + other + " above 0",
            [other](const Config& config) { return number_of(config.position.options, other) > 0.0; }};
}

// A number that a scaling reads.
OptionSpec number(const char* key, double default_value, const char* help, double minimum,
                  std::vector<Condition> conditions) {
    return {.key = key,
            .default_value = default_value,
            .help = help,
            .minimum = minimum,
            .since = "0.3.0",
            .conditions = std::move(conditions)};
}

std::vector<OptionSpec> rotary_options() {
    const auto yarn = with({RotaryScaling::yarn}), llama3 = with({RotaryScaling::llama3});
    std::vector<OptionSpec> options;
    options.push_back({"base", 10000.0, "pair k of a head turns by position * base^(-2k/dim)", {}, 1.0, {}});
    options.push_back(choice_option("pairs", RotaryPairs::interleaved, "which elements of a head are a pair"));
    options.push_back(
        {"dim", std::int64_t{0}, "elements of a head that are rotated, the first ones; 0: all", {}, 0, {}});
    options.push_back({.key = "share",
                       .default_value = 1.0,
                       .help = "share of the pairs that turn, those of the highest frequencies; the others stand still "
                               "(p-RoPE, Barbero et al., 2025)",
                       .minimum = 0.0,
                       .maximum = 1.0});
    options.push_back(choice_option("scaling", RotaryScaling::none, "how frequencies change for longer inputs"));
    for (std::size_t i = 1; i < options.size(); ++i) options[i].since = "0.3.0";
    options.push_back(number("factor", 1.0, "ratio of the longest input to original_length", 1.0,
                             {with({RotaryScaling::linear, RotaryScaling::dynamic, RotaryScaling::yarn,
                                    RotaryScaling::llama3, RotaryScaling::longrope})}));
    options.push_back({.key = "original_length",
                       .default_value = std::int64_t{0},
                       .help = "length that the frequencies of base were trained with; 0: train.length",
                       .minimum = 0,
                       .since = "0.3.0",
                       .conditions = {with({RotaryScaling::dynamic, RotaryScaling::yarn, RotaryScaling::llama3,
                                            RotaryScaling::longrope})}});
    options.push_back(number("low_freq_factor", 1.0,
                             "wavelengths above original_length / low_freq_factor are multiplied by factor", 1e-6,
                             {llama3}));
    options.push_back(number("high_freq_factor", 4.0, "wavelengths below original_length / high_freq_factor are kept",
                             1e-6, {llama3}));
    options.push_back(
        number("beta_fast", 32.0, "pairs that turn more often in original_length tokens are kept", 1e-6, {yarn}));
    options.push_back(number("beta_slow", 1.0, "pairs that turn less often are divided by factor", 1e-6, {yarn}));
    options.push_back(number("attention_factor", 0.0,
                             "factor on rotated queries and keys; 0: 0.1 ln(factor) + 1, or as mscale says", 0.0,
                             {yarn}));
    const char* mscale =
        "the factor on rotated queries and keys is (0.1 mscale ln(factor) + 1) / (0.1 mscale_all_dim ln(factor) + 1) if both are above 0";
    options.push_back(number("mscale", 0.0, mscale, 0.0, {yarn, by_formula(), with_the_other("mscale_all_dim")}));
    options.push_back(number("mscale_all_dim", 0.0, mscale, 0.0, {yarn, by_formula(), with_the_other("mscale")}));
    options.push_back({.key = "truncate",
                       .default_value = true,
                       .help = "the ramp between beta_fast and beta_slow begins and ends at whole pairs",
                       .since = "0.3.0",
                       .conditions = {yarn}});
    const auto factors = [&](const char* key, const char* help) {
        options.push_back({.key = key,
                           .default_value = std::string(),
                           .help = help,
                           .since = "0.3.0",
                           .conditions = {with({RotaryScaling::longrope})}});
    };
    factors("short_factors",
            "numbers that the pairs' angles are divided by in windows of up to original_length tokens, "
            "with commas between them");
    factors("long_factors", "the same in longer windows");
    return options;
}

}  // namespace

RotaryPosition::RotaryPosition(const PositionContext& context)
    : settings_(settings_of(context)), pairs_(option_choice<RotaryPairs>(context.options, "pairs")) {}

const RotationTable& RotaryPosition::table(const at::Tensor& positions, const PositionCall& call, at::ScalarType type) {
    const auto length = depends_on_length() ? call.evaluated_length : 0;
    for (const auto& turn : turns_) {
        if (turn.positions.is_same(positions) && turn.type == type && turn.length == length) return turn.table;
    }
    // Angles in fp32 would be off by 1e-3 at position 65,535.
    const auto frequencies = rotary_frequencies(settings_, length, positions.options());
    const auto angles = positions.to(at::kDouble).unsqueeze(1).mul(frequencies);
    auto& turn = turns_[oldest_];
    oldest_ = (oldest_ + 1) % turns_.size();
    turn = {positions, length, type, rotation_table(angles, rotary_attention_factor(settings_), pairs_, type)};
    return turn.table;
}

Rotated RotaryPosition::rotate(const PositionCall& call) {
    return {.q = turned(call.q, call.positions, call), .k = turned(call.k, call.positions, call)};
}

at::Tensor RotaryPosition::turned(const at::Tensor& x, const at::Tensor& positions, const PositionCall& call) {
    const auto type = x.scalar_type();
    // Half precision has neither a complex product nor the precision for the rotation.
    const auto wide = type == at::kDouble ? at::kDouble : at::kFloat;
    return rotate_pairs(x.to(wide), table(positions, call, wide), settings_.dim).to(type);
}

std::vector<std::string> RotaryPosition::describe(std::int64_t evaluated_length) const {
    const auto frequencies = rotary_frequencies(settings_, evaluated_length, at::TensorOptions());
    std::vector<std::string> lines{"pair  angle at position 1  tokens of a turn"};
    const auto* values = frequencies.const_data_ptr<double>();
    for (std::int64_t pair = 0; pair < frequencies.numel(); ++pair)
        lines.push_back(fmt::format(
            "{:4}  {:<19.8g}  {}", pair, values[pair],
            values[pair] == 0.0 ? "stands still" : fmt::format("{:.6g}", 2 * std::numbers::pi / values[pair])));
    if (const double factor = rotary_attention_factor(settings_); factor != 1.0)
        lines.push_back(fmt::format("rotated queries and keys are multiplied by {:.8g}, scores by its square", factor));
    return lines;
}

LONGBOW_REGISTER_POSITION({
    .name = "rotary",
    .help = "queries and keys rotated by their position (Su et al., 2021)",
    .options = rotary_options(),
    .make = [](const PositionContext& context) { return std::make_shared<RotaryPosition>(context); },
    .modifiers = {Modifier::range, Modifier::temperature, Modifier::sinks, Modifier::sink_logit, Modifier::draw},
});

}  // namespace longbow
