// The names that a configuration may use and that rooms above this one define. Their registries add them here, so that
// config depends on none of these rooms.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "longbow/config/options.h"

namespace longbow {

// A kind of tokenizer. Its options stand among the keys of the section `tokenizer`, each with the kind as its first
// condition: like tokenizer.kind itself they have an effect only where there is text to read.
struct TokenizerVariant {
    std::string name{};
    std::string help{};       // "byte level"; may be empty
    std::string file_help{};  // what tokenizer.file may be: "dict.txt"
    std::vector<OptionSpec> options{};
    std::function<std::optional<Objection>(const Config&)>
        check{};  // of configurations with text to read; empty: all can be served
};

struct ConfigContext {
    std::vector<Variant> position_methods;
    std::vector<Variant> attention_backends;  // the first is `auto`
    std::vector<Variant> optimizers, schedules;
    std::vector<TokenizerVariant> tokenizers;
    std::vector<Variant> tasks;  // the first is kNoTask
};

// Returns what all linked rooms have registered. It is built at the first call and does not change afterwards, so that
// it must not be called before main().
const ConfigContext& registered_config_context();

// A registry adds its names with one of these at namespace scope, beside the registry itself. `add` runs at the first
// registered_config_context(), when all registrations are complete. The room must be linked whole (WHOLE in
// CMakeLists.txt).
struct ContextSource {
    explicit ContextSource(void (*add)(ConfigContext& context));
};

}  // namespace longbow
