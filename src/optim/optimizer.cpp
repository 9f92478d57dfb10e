// Keeps the registry of optimizers and makes an optimizer from a configuration.
#include "longbow/optim/optimizer.h"

#include <utility>

#include "longbow/config/context.h"
#include "longbow/core/error.h"
#include "longbow/core/registry.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

Registry<OptimizerEntry>& registry() {
    static Registry<OptimizerEntry> optimizers("optimizer");
    return optimizers;
}

const OptimizerEntry& entry_of(const std::string& name) {
    if (const auto* entry = registry().find(name)) return *entry;
    throw ConfigError("optim.name: " + name + " is none of " + join(registry().names(), ", "));
}

const ContextSource context_source([](ConfigContext& context) {
    for (const auto& entry : optimizers())
        context.optimizers.push_back({entry.name, entry.help, entry.options, false, entry.reads});
});

OptimConfig complete(const OptimConfig& config, const OptimizerEntry& entry) {
    auto whole = config;
    fill_defaults(whole.options, entry.options);
    return whole;
}

}  // namespace

bool register_optimizer(OptimizerEntry entry) { return registry().add(std::move(entry)); }

const std::vector<OptimizerEntry>& optimizers() { return registry().entries(); }

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
