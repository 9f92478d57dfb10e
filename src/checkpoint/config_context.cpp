#include "longbow/checkpoint/config_context.h"

#include "longbow/attention/attention_backend.h"
#include "longbow/position/position_method.h"

namespace longbow {

const ConfigContext& registered_config_context() {
    static const ConfigContext context = [] {
        ConfigContext made;
        for (const auto& method : position_methods()) made.position_methods.push_back({method.name, method.help, method.options, method.slopes});
        made.attention_backends = attention_backend_names();
        return made;
    }();
    return context;
}

}  // namespace longbow
