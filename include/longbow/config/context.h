// The names that a configuration may use and that rooms above this one define: their registries add them, so that this room knows none of them.
#pragma once

#include <string>
#include <vector>

#include "longbow/config/options.h"

namespace longbow {

struct ConfigContext {
    std::vector<Variant> position_methods;
    std::vector<Variant> optimizers, schedules;
    std::vector<std::string> attention_backends;
};

// What all linked rooms have registered. It is put together at the first call and stays: call it from main() on, not before.
const ConfigContext& registered_config_context();

// A registry adds its names through one of these at namespace scope, beside the registry itself. `add` runs at the first
// registered_config_context(), when every registration has been made. The room is linked whole (WHOLE in CMakeLists.txt).
struct ContextSource {
    explicit ContextSource(void (*add)(ConfigContext& context));
};

}  // namespace longbow
