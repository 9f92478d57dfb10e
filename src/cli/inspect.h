// `longbow inspect`: the group that its verbs (one file each, inspect_<what>.cpp) hang themselves into. Whichever registers first makes it.
#pragma once

#include "verbs.h"

namespace longbow {

inline CLI::App& inspect_group(CLI::App& app) {
    for (auto* group : app.get_subcommands([](const CLI::App* verb) { return verb->get_name() == "inspect"; })) return *group;
    return *add_verb_group(app, "inspect", "Look into a checkpoint, a store, a position method or a plan",
                           "longbow inspect data data/corpora/austen/store --tokens 0:100");
}

}  // namespace longbow
