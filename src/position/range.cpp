// Gives keys that are far from a query other distances than they have, so that a trained rotary model meets none that
// it has not seen. Queries and keys are turned twice, at their positions and at those of the far range. A key's far
// position depends on the key alone, so that the far key is kept beside the near one while tokens are generated.
//
// With w = range_window, d = i - j, and what stands in for d at d >= w:
//   rerope        w                                          Su, 2023 (kexue.fm 9708)
//   leaky_rerope  w + (d - w) / range_factor                 the same
//   self_extend   floor(i/g) + w - floor(w/g) - floor(j/g)   Jin et al., ICML 2024, equations 3 and 4; g = range_group
// With w = position.window, behind which only sinks are visible:
//   lm_infinite   w                                          Han et al., 2024 (LM-Infinite), section 4
//   streaming     min(i, sinks + w - 1) - j                  Xiao et al., ICLR 2024 (StreamingLLM), section 3.2:
//                                                            the distance in a cache of sinks + w keys
#include <fmt/core.h>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <utility>

#include "longbow/core/choice.h"
#include "longbow/core/error.h"
#include "position_modifier.h"

namespace longbow {

namespace {

enum class FarRange { none, rerope, leaky_rerope, self_extend, lm_infinite, streaming };

}  // namespace

template <>
struct ChoiceTable<FarRange> {
    static constexpr Choice<FarRange> values[] = {
        {FarRange::none, "none", "that which it has"},
        {FarRange::rerope, "rerope", "range_window (ReRoPE, Su, 2023)"},
        {FarRange::leaky_rerope, "leaky_rerope", "beyond range_window it grows by 1/range_factor a token (Su, 2023)"},
        {FarRange::self_extend, "self_extend", "beyond range_window that of groups of tokens (Jin et al., 2024)"},
        {FarRange::lm_infinite, "lm_infinite", "that of sinks is position.window at most (Han et al., 2024)"},
        {FarRange::streaming, "streaming",
         "that of sinks is one in a cache of the sinks and the window (StreamingLLM, Xiao et al., 2024)"}};
};

namespace {

bool is_of_sinks(FarRange form) { return form == FarRange::lm_infinite || form == FarRange::streaming; }

class RangePosition final : public ModifiedPosition {
public:
    RangePosition(std::shared_ptr<PositionMethod> host, FarRange form, const PositionContext& context)
        : ModifiedPosition(std::move(host)),
          form_(form),
          near_(option_int(context.options, "range_window")),
          group_(option_int(context.options, "range_group")),
          factor_(option_double(context.options, "range_factor")) {
        if (near_ == 0) near_ = context.train_length / 2;
        if (!is_of_sinks(form_) && near_ == 0)
            throw ConfigError("position.range_window: train.length does not say how many keys are near, so this must");
        if (const auto sinks = context.options.find("sinks"); sinks != context.options.end())
            sinks_ = std::get<std::int64_t>(sinks->second);
    }

    Rotated rotate(const PositionCall& call) override {
        auto rotated = host().rotate(call);
        const auto window = window_of(call);
        // Without a cache, no later token can make these keys far ones.
        if (call.state == nullptr && call.keys <= window) return rotated;
        update_far_positions(call, window);
        rotated.far_from = window;
        rotated.far_q = host().turned(call.q, far_queries_, call);
        rotated.far_k = form_ == FarRange::streaming ? rotated.k : host().turned(call.k, far_keys_, call);
        return rotated;
    }

    [[nodiscard]] std::vector<std::string> describe(std::int64_t evaluated_length) const override {
        auto lines = host().describe(evaluated_length);
        lines.push_back(
            is_of_sinks(form_)
                ? "sinks behind position.window are turned as if they were nearer"
                : fmt::format("keys {} tokens or more before the query are turned as if they were nearer", near_));
        return lines;
    }

private:
    // Returns the distance from which keys are far.
    [[nodiscard]] std::int64_t window_of(const PositionCall& call) const {
        if (!is_of_sinks(form_)) return near_;
        if (call.window <= 0) throw Error("position.range: distances of sinks need position.window");
        return call.window;
    }

    // All layers of a pass have the same positions, and so what the host derives from these serves all of them.
    void update_far_positions(const PositionCall& call, std::int64_t window) {
        if (positions_.is_same(call.positions) && window_ == window) return;
        positions_ = call.positions;
        window_ = window;
        switch (form_) {
            case FarRange::none: break;
            case FarRange::rerope:
            case FarRange::lm_infinite:
                far_queries_ = at::full_like(positions_, window);
                far_keys_ = at::zeros_like(positions_);
                break;
            case FarRange::leaky_rerope:
                far_keys_ = positions_.to(at::kDouble).div(factor_);
                far_queries_ = far_keys_.add(static_cast<double>(window) - static_cast<double>(window) / factor_);
                break;
            case FarRange::self_extend:
                far_keys_ = positions_.div(group_, "floor");
                far_queries_ = far_keys_.add(window - window / group_);
                break;
            case FarRange::streaming: far_queries_ = positions_.clamp_max(sinks_ + window - 1); break;
        }
    }

    FarRange form_;
    std::int64_t near_, group_;
    double factor_;
    std::int64_t sinks_ = 0;
    // The last positions and window seen, and what they gave.
    at::Tensor positions_;
    std::int64_t window_ = 0;
    at::Tensor far_queries_, far_keys_;
};

std::shared_ptr<PositionMethod> with_range(std::shared_ptr<PositionMethod> host, const PositionContext& context) {
    const auto form = option_choice<FarRange>(context.options, "range");
    if (form == FarRange::none) return host;
    const at::NoGradGuard no_grad;
    PositionCall call;
    call.evaluated_length = call.keys = 1;
    call.positions = call.key_positions = at::zeros({1}, at::kLong);
    if (!host->turned(at::zeros({1, 1, 1, context.head_dim()}), call.positions, call).defined())
        throw ConfigError("position.range: the method does not turn queries and keys by their positions alone");
    return std::make_shared<RangePosition>(std::move(host), form, context);
}

// ---- when an option has an effect ----

// Conditions ask this of configurations in which an option may be missing.
FarRange range_of(const OptionMap& options) {
    const auto set = options.find("range");
    if (set == options.end()) return FarRange::none;
    return choice_named<FarRange>(std::get<std::string>(set->second)).value_or(FarRange::none);
}

Condition with(std::vector<FarRange> forms) {
    std::string names;
    for (const auto form : forms) names += (names.empty() ? "" : " or ") + std::string(name_of(form));
    return {"position.range", "position.range: " + names, [forms = std::move(forms)](const Config& config) {
                return std::find(forms.begin(), forms.end(), range_of(config.position.options)) != forms.end();
            }};
}

// Distances of sinks: without a window or sinks, no far key is visible. In position.layers, the window is
// that of the entry.
Condition with_window_for_sinks() {
    return {"position.window", "position.window above 0 for lm_infinite and streaming", [](const Config& config) {
                return !is_of_sinks(range_of(config.position.options)) || config.position.window > 0;
            }};
}

Condition with_sinks_for_sinks() {
    return {"position.sinks", "position.sinks above 0 for lm_infinite and streaming", [](const Config& config) {
                if (!is_of_sinks(range_of(config.position.options))) return true;
                const auto set = config.position.options.find("sinks");
                return set != config.position.options.end() && std::get<std::int64_t>(set->second) > 0;
            }};
}

// Positions that are drawn have no distances of their own that a range could keep.
Condition without_draw() {
    return {"position.draw", "position.draw: none", [](const Config& config) {
                const auto set = config.position.options.find("draw");
                return set == config.position.options.end() || set->second == OptionValue(std::string("none"));
            }};
}

std::vector<OptionSpec> range_options() {
    auto form = choice_option("range", FarRange::none, "distance between a query and a far key");
    form.since = "0.3.0";
    form.conditions = {with_window_for_sinks(), with_sinks_for_sinks(), without_draw()};
    return {form,
            {.key = "range_window",
             .default_value = std::int64_t{0},
             .help = "nearest keys of a query, its own included, whose distances stay; 0: half of train.length",
             .minimum = 0,
             .since = "0.3.0",
             .conditions = {with({FarRange::rerope, FarRange::leaky_rerope, FarRange::self_extend})}},
            {.key = "range_group",
             .default_value = std::int64_t{8},
             .help = "tokens that share a position in the far range",
             .minimum = 2,
             .since = "0.3.0",
             .conditions = {with({FarRange::self_extend})}},
            {.key = "range_factor",
             .default_value = 8.0,
             .help = "tokens by which the distance of a far key grows by 1",
             .minimum = 1.0,
             .since = "0.3.0",
             .conditions = {with({FarRange::leaky_rerope})}}};
}

}  // namespace

LONGBOW_REGISTER_MODIFIER({
    .modifier = Modifier::range,
    .options = range_options(),
    .wrap = with_range,
});

}  // namespace longbow
