// Adds `longbow inspect`, the group of the verbs in inspect_<what>.cpp. The first of them that registers creates the
// group.
#pragma once

#include "verbs.h"

namespace longbow {

inline CLI::App& inspect_group(CLI::App& app) {
    for (auto* group : app.get_subcommands([](const CLI::App* verb) { return verb->get_name() == "inspect"; }))
        return *group;
    return *add_verb_group(app, "inspect", "Inspect a checkpoint, a store, a position method or a plan",
                           "longbow inspect data data/corpora/austen/store --tokens 0:100");
}

}  // namespace longbow
