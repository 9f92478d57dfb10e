// Position methods as the registry would hand them down, for tests of the room below it.
#pragma once

#include "longbow/config/load.h"

namespace longbow {

inline ConfigContext test_context() {
    ConfigContext context;
    context.position_methods = {
        {"alibi", "Linear biases", {{"slopes", std::string("authors"), "Slope rule", {"authors", "geometric"}, {}, {}}}, true},
        {"none", "No positions", {}},
        {"rotary", "Rotated queries and keys", {{"base", 10000.0, "Base of the angles", {}, 1.0, 1e9}}},
        {"t5",
         "Bucketed distances",
         {{"buckets", std::int64_t{32}, "Buckets", {}, 2, 4096}, {"shared", true, "One table for all layers", {}, {}, {}}}},
    };
    context.attention_backends = {"reference", "sdpa"};
    return context;
}

}  // namespace longbow
