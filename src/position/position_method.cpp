// Keeps the registry of position methods and makes a method from its name.
#include "longbow/position/position_method.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <utility>

#include "layered.h"
#include "longbow/config/context.h"
#include "longbow/core/error.h"
#include "longbow/core/registry.h"
#include "longbow/core/strings.h"
#include "longbow/position/draw.h"
#include "position_modifier.h"

namespace longbow {

namespace {

Registry<PositionEntry>& registry() {
    static Registry<PositionEntry> methods("position method");
    return methods;
}

bool gives_slopes(PositionMethod& method) {
    if (!method.parts_from_data(0).empty()) return false;
    const at::NoGradGuard no_grad;
    return method.bias({}).slopes.defined();
}

std::vector<const ModifierEntry*> modifiers_of(const PositionEntry& entry) {
    std::vector<const ModifierEntry*> taken;
    for (const auto& modifier : position_modifiers()) {
        if (std::find(entry.modifiers.begin(), entry.modifiers.end(), modifier.modifier) != entry.modifiers.end())
            taken.push_back(&modifier);
    }
    return taken;
}

// Returns the registered methods with the options of the modifiers that they take. It is not called before all of them
// are registered.
std::vector<PositionEntry> with_modifiers() {
    auto methods = registry().entries();
    for (auto& method : methods) {
        for (const auto* modifier : modifiers_of(method))
            method.options.insert(method.options.end(), modifier->options.begin(), modifier->options.end());
    }
    return methods;
}

bool takes_draws(const PositionEntry& method) {
    const auto& taken = method.modifiers;
    return std::find(taken.begin(), taken.end(), Modifier::draw) != taken.end();
}

const ContextSource context_source([](ConfigContext& context) {
    for (const auto& method : position_methods()) {
        auto& variant = context.position_methods.emplace_back();
        variant.name = method.name;
        variant.help = method.help;
        variant.options = method.options;
        variant.slopes = method.slopes;
        variant.title = method.title;
        variant.slopes_if = method.slopes_if;
        variant.slopes_need = method.slopes_need;
        variant.fades = method.fades;
        // A table falls with the distance between places, which says nothing of drawn positions before they are looked
        // up; slopes become terms of the positions themselves.
        if (method.fades && !method.slopes && takes_draws(method)) {
            variant.slopes_if = [](const OptionMap& options) { return !draws_positions(options); };
            variant.slopes_need = "position.draw: none";
        }
    }
});

}  // namespace

bool register_position_method(PositionEntry entry) { return registry().add(std::move(entry)); }

const std::vector<PositionEntry>& position_methods() {
    // Tests register methods of their own while they run.
    static std::vector<PositionEntry> methods;
    if (methods.size() != registry().entries().size()) methods = with_modifiers();
    return methods;
}

std::shared_ptr<PositionMethod> make_position_method(const std::string& name, const PositionContext& context) {
    const auto& methods = position_methods();
    const auto entry =
        std::find_if(methods.begin(), methods.end(), [&](const PositionEntry& one) { return one.name == name; });
    if (entry == methods.end()) {
        const auto known = registry().names();
        const auto near = nearest(name, known);
        throw ConfigError("position.method: unknown method \"" + name + "\"" +
                          (near ? " (did you mean \"" + *near + "\"?)" : std::string()) +
                          "; known: " + join(known, ", "));
    }
    PositionContext complete = context;
    fill_defaults(complete.options, entry->options);
    auto method = entry->make(complete);
    const bool says_slopes = entry->slopes && (!entry->slopes_if || entry->slopes_if(complete.options));
    if (!says_slopes && gives_slopes(*method)) {
        throw ConfigError(
            "position method \"" + name +
            "\": its bias() has slopes, and its registration does not say so; write true after its factory "
            "(PositionEntry::slopes), so that attention.skip_threshold can be set");
    }
    for (const auto* modifier : modifiers_of(*entry)) method = modifier->wrap(std::move(method), complete);
    return method;
}

std::shared_ptr<PositionMethod> make_positions(const PositionConfig& config, PositionContext context) {
    if (!config.layers.empty()) return std::make_shared<LayeredPosition>(config.layers, context);
    context.options = config.options;
    return make_position_method(config.method, context);
}

}  // namespace longbow
