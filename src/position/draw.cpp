// Draws the positions of a window's tokens from a range that is longer than any window, so that a model has seen the
// distances of longer inputs when it is trained. Positions rise from token to token; a window of the same length has
// others in each update, and in each evaluation the same.
#include <c10/util/Exception.h>
#include <fmt/core.h>

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randperm.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "longbow/core/choice.h"
#include "longbow/core/error.h"
#include "longbow/core/random.h"
#include "longbow/position/draw.h"
#include "position_modifier.h"

namespace longbow {

namespace {

enum class PositionDraw { none, integers, floats };

}  // namespace

template <>
struct ChoiceTable<PositionDraw> {
    static constexpr Choice<PositionDraw> values[] = {
        {PositionDraw::none, "none", "they are 0, 1, 2, .."},
        {PositionDraw::integers, "integers",
         "a sample without replacement from 0 .. draw_max - 1 (Ruoss et al., 2023)"},
        {PositionDraw::floats, "floats", "uniform numbers from 0 to draw_max (RFS, 2026)"}};
};

namespace {

class DrawnPosition final : public ModifiedPosition {
public:
    DrawnPosition(std::shared_ptr<PositionMethod> host, PositionDraw form, const PositionContext& context)
        : ModifiedPosition(std::move(host)),
          form_(form),
          most_(option_int(context.options, "draw_max")),
          seed_(option_int(context.options, "draw_seed")),
          // A buffer follows the model to its precision.
          wide_(register_buffer("wide", at::empty({0}))) {}

    at::Tensor draw_positions(std::int64_t length, bool training) override {
        if (form_ == PositionDraw::integers && length > most_) {
            throw UsageError(
                fmt::format("position.draw_max: {} tokens cannot have a position each of {}", length, most_));
        }
        if (training) return drawn(length, std::nullopt);
        // Windows of one length have the same tensor, from which a method may have derived something.
        if (!evaluated_.defined() || evaluated_.size(0) != length || type_ != wide_.scalar_type()) {
            const auto seed = seed_of(static_cast<std::uint64_t>(seed_), length);
            evaluated_ = drawn(length, at::make_generator<at::CPUGeneratorImpl>(seed));
            type_ = wide_.scalar_type();
        }
        return evaluated_;
    }

    BiasSpec bias(const PositionCall& call) override {
        auto longest = call;
        longest.keys = most_;  // a table has a column for each distance between positions
        auto spec = host().bias(longest);
        if (!spec.slopes.defined() && !spec.table.defined()) return spec;
        spec.positions = call.key_positions;
        // Whoever asks with a layer alone learns which parts there are.
        if (!spec.positions.defined()) {
            const auto& part = spec.slopes.defined() ? spec.slopes : spec.table;
            const auto type = form_ == PositionDraw::integers ? at::kLong : wide_.scalar_type();
            spec.positions = at::arange(std::max<std::int64_t>(call.keys, 1), part.options().dtype(type));
        }
        return spec;
    }

    // A window of another length has other positions.
    [[nodiscard]] bool depends_on_length() const override { return true; }
    [[nodiscard]] std::int64_t max_length() const override {
        return form_ == PositionDraw::integers ? most_ : host().max_length();
    }

private:
    [[nodiscard]] at::Tensor drawn(std::int64_t length, const std::optional<at::Generator>& generator) const {
        if (form_ == PositionDraw::integers)
            return std::get<0>(at::randperm(most_, generator, at::kLong).narrow(0, 0, length).sort());
        const auto places = at::rand({length}, generator, at::kDouble).mul(static_cast<double>(most_));
        return std::get<0>(places.sort()).to(wide_.scalar_type());
    }

    PositionDraw form_;
    std::int64_t most_, seed_;
    at::Tensor wide_;
    at::Tensor evaluated_;  // the positions of the last window that was not trained on, and the model's type then
    at::ScalarType type_ = at::kFloat;
};

// Returns whether an embedding of positions can serve one between two numbers.
bool embeds_floats(PositionMethod& host, std::int64_t dim) {
    PositionCall call;
    call.evaluated_length = call.keys = 1;
    call.positions = call.key_positions = at::zeros({1}, at::kDouble);
    try {
        host.embed(at::zeros({1, 1, dim}), call);
    } catch (const c10::Error&) {
        return false;  // a table has no such row
    }
    return true;
}

// Refuses what the host cannot serve. The host itself is tried, so that a method of the user's own is judged like the
// others.
void check_host(PositionMethod& host, PositionDraw form, const PositionContext& context) {
    const auto most = option_int(context.options, "draw_max"), limit = host.max_length();
    if (limit > 0 && most > limit) {
        throw ConfigError(fmt::format(
            "position.draw_max: {} is more than the method's {} positions (position.max_length)", most, limit));
    }
    const at::NoGradGuard no_grad;
    BiasSpec spec;
    if (host.parts_from_data(0).empty()) spec = host.bias({});
    if (spec.row.defined() || spec.column.defined() || spec.curve) {
        throw ConfigError(
            "position.draw: with these options, the method's bias is by the places of tokens and not by their "
            "positions, so that a draw would not change it");
    }
    if (form == PositionDraw::floats && (spec.table.defined() || !embeds_floats(host, context.dim))) {
        throw ConfigError(
            "position.draw: floats do not serve a method with a table, which has a place for each whole number; there "
            "is: integers");
    }
}

std::shared_ptr<PositionMethod> with_draw(std::shared_ptr<PositionMethod> host, const PositionContext& context) {
    const auto form = option_choice<PositionDraw>(context.options, "draw");
    if (form == PositionDraw::none) return host;
    check_host(*host, form, context);
    return std::make_shared<DrawnPosition>(std::move(host), form, context);
}

// Returns what is drawn with these options, in which the key may be missing.
PositionDraw draw_of(const OptionMap& options) {
    const auto set = options.find("draw");
    if (set == options.end()) return PositionDraw::none;
    return choice_named<PositionDraw>(std::get<std::string>(set->second)).value_or(PositionDraw::none);
}

std::vector<OptionSpec> draw_options() {
    const Condition draws = {"position.draw", "position.draw: integers or floats",
                             [](const Config& config) { return draws_positions(config.position.options); }};
    auto form = choice_option("draw", PositionDraw::none, "positions of a window's tokens");
    form.since = "0.3.0";
    return {form,
            {.key = "draw_max",
             .default_value = std::int64_t{2048},
             .help = "end of the range that positions are drawn from; above the longest window",
             .minimum = 1,
             .maximum = 16777216,  // whole numbers up to it are exact in fp32
             .since = "0.3.0",
             .conditions = {draws}},
            {.key = "draw_seed",
             .default_value = std::int64_t{0},
             .help = "seed of the draws of evaluation and generation, which also depend on the length",
             .minimum = 0,
             .since = "0.3.0",
             .conditions = {draws}}};
}

}  // namespace

bool draws_positions(const OptionMap& options) { return draw_of(options) != PositionDraw::none; }

bool ends_at_draw(const PositionConfig& config) {
    if (config.layers.empty()) return draw_of(config.options) == PositionDraw::integers;
    return std::any_of(config.layers.begin(), config.layers.end(),
                       [](const PositionLayer& layer) { return draw_of(layer.options) == PositionDraw::integers; });
}

const char* length_limit_key(const PositionConfig& config) {
    return ends_at_draw(config) ? "position.draw_max" : "position.max_length";
}

LONGBOW_REGISTER_MODIFIER({
    .modifier = Modifier::draw,
    .options = draw_options(),
    .wrap = with_draw,
});

}  // namespace longbow
