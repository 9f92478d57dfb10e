// Keeps the registry of protocols and finds one by its name.
#include "longbow/eval/protocol.h"

#include <utility>

#include "longbow/core/error.h"
#include "longbow/core/registry.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

Registry<EvalProtocol, UsageError>& registry() {
    static Registry<EvalProtocol, UsageError> protocols("protocol");
    return protocols;
}

}  // namespace

bool register_protocol(EvalProtocol protocol) { return registry().add(std::move(protocol)); }

const std::vector<EvalProtocol>& eval_protocols() { return registry().entries(); }

std::vector<std::string> protocol_names() { return registry().names(); }

const EvalProtocol& protocol_named(const std::string& name) {
    if (const auto* found = registry().find(name)) return *found;
    const auto names = protocol_names();
    const auto near = nearest(name, names);
    throw UsageError("unknown protocol '" + name + "'" + (near ? " (did you mean '" + *near + "'?)" : "") +
                     ": known are " + join(names, ", "));
}

std::optional<Bos> default_bos(const std::string& protocol) {
    const auto* found = registry().find(protocol);
    if (found == nullptr || !found->takes_bos) return std::nullopt;
    return found->default_bos.value_or(Bos::never);
}

bool protocol_scores_all(const std::string& name) {
    const auto* found = registry().find(name);
    return found != nullptr && found->scores_all;
}

}  // namespace longbow
