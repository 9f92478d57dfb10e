// Keeps the registry of position methods and makes a method from its name.
#include "longbow/position/position_method.h"

#include <ATen/core/grad_mode.h>

#include <utility>

#include "longbow/config/context.h"
#include "longbow/core/error.h"
#include "longbow/core/registry.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

Registry<PositionEntry>& registry() {
    static Registry<PositionEntry> methods("position method");
    return methods;
}

bool gives_slopes(PositionMethod& method) {
    const at::NoGradGuard no_grad;
    return method.bias(0).kind == BiasSpec::Kind::slopes;
}

const ContextSource context_source([](ConfigContext& context) {
    for (const auto& method : position_methods())
        context.position_methods.push_back({method.name, method.help, method.options, method.slopes, {}, method.title});
});

}  // namespace

bool register_position_method(PositionEntry entry) { return registry().add(std::move(entry)); }

const std::vector<PositionEntry>& position_methods() { return registry().entries(); }

std::shared_ptr<PositionMethod> make_position_method(const std::string& name, const PositionContext& context) {
    const auto* entry = registry().find(name);
    if (entry == nullptr) {
        const auto known = registry().names();
        const auto near = nearest(name, known);
        throw ConfigError("position.method: unknown method \"" + name + "\"" +
                          (near ? " (did you mean \"" + *near + "\"?)" : std::string()) +
                          "; known: " + join(known, ", "));
    }
    PositionContext complete = context;
    fill_defaults(complete.options, entry->options);
    auto method = entry->make(complete);
    if (!entry->slopes && gives_slopes(*method)) {
        throw ConfigError(
            "position method \"" + name +
            "\": its bias() has slopes, and its registration does not say so; write true after its factory "
            "(PositionEntry::slopes), so that attention.skip_threshold can be set");
    }
    return method;
}

}  // namespace longbow
