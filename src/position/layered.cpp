#include "layered.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "longbow/core/error.h"
#include "position_modifier.h"

namespace longbow {

namespace {

// The method itself is tried, so that a method of the user's own is judged like the others.
bool adds_to_embedding(PositionMethod& method, std::int64_t dim) {
    const at::NoGradGuard no_grad;
    PositionCall call;
    call.evaluated_length = 1;
    call.positions = at::zeros({1}, at::kLong);
    const auto x = at::zeros({1, 1, dim});
    return !method.embed(x, call).is_same(x);
}

// Returns how an entry draws positions, with the defaults of what it does not say; nothing if its method cannot.
OptionMap draw_of(const PositionLayer& layer) {
    OptionMap draw;
    for (const auto& method : position_methods()) {
        const auto& taken = method.modifiers;
        if (method.name != layer.method || std::find(taken.begin(), taken.end(), Modifier::draw) == taken.end())
            continue;
        for (const auto& modifier : position_modifiers()) {
            if (modifier.modifier != Modifier::draw) continue;
            for (const auto& option : modifier.options) {
                const auto set = layer.options.find(option.key);
                draw[option.key] = set == layer.options.end() ? option.default_value : set->second;
            }
        }
    }
    return draw;
}

// Refuses entries that draw positions in different ways.
void check_draws(const std::vector<const PositionLayer*>& layers) {
    OptionMap first;
    for (const auto* layer : layers) {
        const auto draw = draw_of(*layer);
        if (draw.empty()) continue;
        if (first.empty()) first = draw;
        if (draw != first) {
            throw ConfigError(
                "position.layers: a window's positions are drawn once for all layers, so that the options draw, "
                "draw_max and draw_seed must be alike in all entries whose method has them");
        }
    }
}

}  // namespace

LayeredPosition::LayeredPosition(const std::vector<PositionLayer>& layers, const PositionContext& context) {
    std::vector<const PositionLayer*> distinct;  // of methods_
    for (const auto& layer : layers) {
        const auto known = std::find_if(distinct.begin(), distinct.end(), [&](const PositionLayer* one) {
            return one->method == layer.method && one->options == layer.options;
        });
        entries_.push_back({static_cast<std::size_t>(known - distinct.begin()), layer.window});
        if (known != distinct.end()) continue;
        auto own = context;
        own.options = layer.options;
        methods_.push_back(register_module(std::to_string(methods_.size()), make_position_method(layer.method, own)));
        distinct.push_back(&layer);
    }
    if (methods_.size() == 1) return;
    check_draws(distinct);
    for (std::size_t i = 0; i < methods_.size(); ++i) {
        if (adds_to_embedding(*methods_[i], context.dim)) {
            throw ConfigError(
                "position.layers: method " + distinct[i]->method +
                " adds to the embedding, once and before the first layer, so that it cannot be the method "
                "of some layers only: all entries must then have this method and its options (their "
                "windows may differ)");
        }
    }
}

at::Tensor LayeredPosition::embed(const at::Tensor& x, const PositionCall& call) {
    return methods_.size() == 1 ? methods_.front()->embed(x, call) : x;
}

at::Tensor LayeredPosition::draw_positions(std::int64_t length, bool training) {
    for (const auto& method : methods_) {
        if (auto positions = method->draw_positions(length, training); positions.defined()) return positions;
    }
    return {};
}

BiasSpec LayeredPosition::bias(const PositionCall& call) {
    auto spec = method_of(call.layer).bias(call);
    spec.window = entry_of(call.layer).window;
    return spec;
}

bool LayeredPosition::bias_differs_by_layer() const {
    return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& one) { return one != entries_.front(); }) ||
           methods_.front()->bias_differs_by_layer();
}

bool LayeredPosition::bias_as_before(std::int64_t layer) const {
    return entry_of(layer) == entry_of(layer - 1) && method_of(layer).bias_as_before(layer);
}

bool LayeredPosition::depends_on_length() const {
    return std::any_of(methods_.begin(), methods_.end(), [](const auto& one) { return one->depends_on_length(); });
}

std::int64_t LayeredPosition::max_length() const {
    std::int64_t least = 0;
    for (const auto& method : methods_) {
        const auto limit = method->max_length();
        if (limit > 0 && (least == 0 || limit < least)) least = limit;
    }
    return least;
}

std::vector<std::string> LayeredPosition::describe(std::int64_t evaluated_length) const {
    std::vector<std::string> lines;
    for (const auto& method : methods_) {
        for (auto& line : method->describe(evaluated_length)) lines.push_back(std::move(line));
    }
    return lines;
}

void LayeredPosition::reset_parameters() {
    for (const auto& method : methods_) method->reset_parameters();
}

}  // namespace longbow
