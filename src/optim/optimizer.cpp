// The list of optimizers. They register at program start in no particular order, and are kept sorted by name, so that no help text depends on
// the linker.
#include "longbow/optim/optimizer.h"

#include <algorithm>

#include "longbow/config/context.h"
#include "longbow/core/error.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

// A function-local static: registrations run before main, in any order of translation units.
std::vector<OptimizerEntry>& entries() {
    static std::vector<OptimizerEntry> list;
    return list;
}

const OptimizerEntry& entry_of(const std::string& name) {
    std::vector<std::string> known;
    for (const auto& entry : entries()) {
        if (entry.name == name) return entry;
        known.push_back(entry.name);
    }
    throw ConfigError("optim.name: " + name + " is none of " + join(known, ", "));
}

const ContextSource context_source([](ConfigContext& context) {
    for (const auto& entry : entries()) context.optimizers.push_back({entry.name, entry.help, entry.options, false, entry.reads});
});

// Options that the caller left out take their declared defaults (a configuration that was loaded has them all).
OptimConfig complete(const OptimConfig& config, const OptimizerEntry& entry) {
    auto whole = config;
    for (const auto& option : entry.options) whole.options.emplace(option.key, option.default_value);
    return whole;
}

}  // namespace

bool register_optimizer(OptimizerEntry entry) {
    auto& list = entries();
    const auto place = std::lower_bound(list.begin(), list.end(), entry.name,
                                        [](const OptimizerEntry& one, const std::string& name) { return one.name < name; });
    if (place != list.end() && place->name == entry.name) {
        throw ConfigError("optimizer \"" + entry.name + "\" is registered twice; give one of them another name");
    }
    list.insert(place, std::move(entry));
    return true;
}

const std::vector<OptimizerEntry>& optimizers() { return entries(); }

std::unique_ptr<Optimizer> make_optimizer(const OptimConfig& config, const std::vector<at::Tensor>& parameters,
                                          const std::vector<bool>& decay) {
    const auto& entry = entry_of(config.name);
    return entry.make({complete(config, entry), parameters, decay});
}

std::vector<std::string> optimizer_slots(const OptimConfig& config) {
    const auto& entry = entry_of(config.name);
    return entry.slots(complete(config, entry));
}

}  // namespace longbow
