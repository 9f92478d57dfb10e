// Makes registered objects as their registries would pass them to the config room, which lies below those and must be
// tested without them.
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
    context.optimizers = {
        {"adamw", "Adam", {}, false, {"beta1", "beta2", "eps"}},
        {"lion", "One with an option of its own", {{"sign_eps", 0.0, "Below it a sign is 0", {}, 0.0, 1.0}}, false, {"beta1", "beta2"}},
        {"nag", "Nesterov's", {}, false, {"momentum"}},
        {"sgd", "Gradient descent", {}, false, {"momentum", "nesterov"}},
    };
    context.schedules = {
        {"constant", "One rate", {}},
        {"cosine", "Half a wave", {}, false, {"min_lr", "period", "restarts"}},
        {"inverse_sqrt", "As fairseq", {}},
        {"linear", "A line", {}, false, {"min_lr", "period"}},
    };
    context.attention_backends = {"reference", "sdpa"};
    return context;
}

}  // namespace longbow
