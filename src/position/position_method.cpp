// The list of position methods. Methods add themselves at program start (LONGBOW_REGISTER_POSITION), in no particular order, so
// the list is kept sorted by name: help texts and schemas must not depend on the linker.
#include "longbow/position/position_method.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "longbow/config/context.h"
#include "longbow/core/error.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

// A function-local static: registrations run before main, in any order of translation units.
std::vector<PositionEntry>& entries() {
    static std::vector<PositionEntry> list;
    return list;
}

bool gives_slopes(PositionMethod& method) {
    const at::NoGradGuard no_grad;
    return method.bias(0).kind == BiasSpec::Kind::slopes;
}

const ContextSource context_source([](ConfigContext& context) {
    for (const auto& method : entries()) context.position_methods.push_back({method.name, method.help, method.options, method.slopes});
});

}  // namespace

bool register_position_method(PositionEntry entry) {
    auto& list = entries();
    const auto place = std::lower_bound(list.begin(), list.end(), entry.name,
                                        [](const PositionEntry& a, const std::string& name) { return a.name < name; });
    if (place != list.end() && place->name == entry.name) {
        throw ConfigError("position method \"" + entry.name + "\" is registered twice; give one of them another name");
    }
    list.insert(place, std::move(entry));
    return true;
}

const std::vector<PositionEntry>& position_methods() { return entries(); }

std::shared_ptr<PositionMethod> make_position_method(const std::string& name, const PositionContext& context) {
    std::vector<std::string> known;
    for (const auto& entry : entries()) {
        if (entry.name == name) {
            // Options that the caller left out take their declared defaults (a config that was loaded has them all).
            PositionContext complete = context;
            for (const auto& option : entry.options) {
                complete.options.emplace(option.key, option.default_value);
            }
            auto method = entry.make(complete);
            if (!entry.slopes && gives_slopes(*method)) {
                throw ConfigError("position method \"" + name +
                                  "\": its bias() has slopes, and its registration does not say so; write true behind its factory "
                                  "(PositionEntry::slopes), so that attention.skip_threshold can be set");
            }
            return method;
        }
        known.push_back(entry.name);
    }
    const auto near = nearest(name, known);
    throw ConfigError("position.method: unknown method \"" + name + "\"" + (near ? " (did you mean \"" + *near + "\"?)" : std::string()) +
                      "; known: " + join(known, ", "));
}

}  // namespace longbow
