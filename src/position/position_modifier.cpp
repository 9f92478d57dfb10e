#include "position_modifier.h"

#include <algorithm>
#include <utility>

namespace longbow {

namespace {

std::vector<ModifierEntry>& registry() {
    static std::vector<ModifierEntry> modifiers;
    return modifiers;
}

}  // namespace

ModifiedPosition::ModifiedPosition(std::shared_ptr<PositionMethod> host)
    : host_(register_module(kHostModule, std::move(host))) {}

bool register_position_modifier(ModifierEntry entry) {
    auto& modifiers = registry();
    const auto place =
        std::lower_bound(modifiers.begin(), modifiers.end(), entry.modifier,
                         [](const ModifierEntry& one, Modifier modifier) { return one.modifier < modifier; });
    modifiers.insert(place, std::move(entry));
    return true;
}

const std::vector<ModifierEntry>& position_modifiers() { return registry(); }

std::vector<std::string> modifier_parameters(const PositionMethod& method) {
    std::vector<std::string> names;
    const auto add = [&](const std::string& prefix, const torch::nn::Module& module) {
        if (dynamic_cast<const ModifiedPosition*>(&module) == nullptr) return;
        for (const auto& own : module.named_parameters(/*recurse=*/false))
            names.push_back(stored_position_name(prefix.empty() ? own.key() : prefix + "." + own.key()));
    };
    add("", method);
    for (const auto& child : method.named_modules("", /*include_self=*/false)) add(child.key(), *child.value());
    return names;
}

std::string stored_position_name(const std::string& parameter) {
    const std::string host = std::string(kHostModule) + ".";
    auto name = parameter;
    for (auto at = name.find(host); at != std::string::npos; at = name.find(host)) {
        if (at > 0 && name[at - 1] != '.') break;
        name.erase(at, host.size());
    }
    return name;
}

}  // namespace longbow
