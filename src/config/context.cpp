#include "longbow/config/context.h"

namespace longbow {

namespace {

// This is a function-local static because sources are made before main(), in any order of translation units.
std::vector<void (*)(ConfigContext&)>& sources() {
    static std::vector<void (*)(ConfigContext&)> list;
    return list;
}

}  // namespace

ContextSource::ContextSource(void (*add)(ConfigContext& context)) { sources().push_back(add); }

const ConfigContext& registered_config_context() {
    static const ConfigContext context = [] {
        ConfigContext made;
        for (const auto add : sources()) add(made);
        return made;
    }();
    return context;
}

}  // namespace longbow
