// longbow config show|check|schema|list: prints what a configuration resolves to, checks it, and lists the keys that
// exist.
#include <algorithm>
#include <iostream>
#include <memory>

#include "longbow/config/context.h"
#include "longbow/config/fields.h"
#include "longbow/config/load.h"
#include "longbow/core/error.h"
#include "longbow/core/json_text.h"
#include "longbow/core/strings.h"
#include "longbow/train/trainer.h"
#include "verbs.h"

namespace longbow {

namespace {

struct ShowFlags {
    ConfigArguments config;
    bool json = false;
};

void add_show(CLI::App& parent, VerbContext& context) {
    auto flags = std::make_shared<ShowFlags>();
    auto* verb = add_verb(parent, context, "show", "Print the resolved configuration, every key that has an effect",
                          "longbow config show -c configs/demo/alibi.yaml train.length=128");
    add_config_arguments(verb, flags->config, false);
    verb->add_flag("--json", flags->json, "JSON instead of YAML");
    run_with(verb, context, [flags](const CommonOptions&) {
        const auto& known = registered_config_context();
        const Config config = load_config({flags->config.files, flags->config.overrides}, known);
        if (flags->json) {
            std::cout << json_text(config_json(config, known), 2) << "\n";
        } else {
            std::cout << config_yaml(config, known);
            for (const auto& text : split(expected_plan(config), '\n')) {
                if (!text.empty()) std::cout << "# " << text << "\n";
            }
        }
        return 0;
    });
}

void add_check(CLI::App& parent, VerbContext& context) {
    auto flags = std::make_shared<ConfigArguments>();
    auto* verb = add_verb(parent, context, "check", "Check whether config files and overrides are valid together",
                          "longbow config check -c configs/demo/alibi.yaml -c my.yaml optim.lr=1e-3");
    add_config_arguments(verb, *flags);
    run_with(verb, context, [flags](const CommonOptions& common) {
        check_parts(load_with_origins({flags->files, flags->overrides}, registered_config_context()),
                    resolve_device(common.device));
        for (const auto& file : flags->files) std::cout << "ok " << file << "\n";
        for (const auto& text : flags->overrides) std::cout << "ok " << text << "\n";
        return 0;
    });
}

void add_schema(CLI::App& parent, VerbContext& context) {
    auto* verb = add_verb(parent, context, "schema", "Print the JSON Schema of configurations, for editors",
                          "longbow config schema > longbow.schema.json\n"
                          "  # then, as first line of a config: # yaml-language-server: $schema=longbow.schema.json");
    run_with(verb, context, [](const CommonOptions&) {
        std::cout << config_schema(registered_config_context()).dump(2) << "\n";
        return 0;
    });
}

struct ListFlags {
    std::string prefix;
    bool markdown = false;
};

// Prints the keys in aligned columns: key, type, default, meaning.
void print_list(const std::string& prefix, const ConfigContext& known) {
    auto fields = config_fields(known);
    for (const auto& selector : selectors()) {
        for (const auto& variant : known.*selector.variants) {
            for (auto& field : option_fields(known, selector, variant.name)) {
                field.help += " (" + selector.path() + ": " + variant.name + ")";
                fields.push_back(std::move(field));
            }
        }
    }
    std::erase_if(fields, [&](const Field& field) { return !starts_with(field.path(), prefix); });
    if (fields.empty())
        throw UsageError("no key begins with '" + prefix + "'; `longbow config list` shows all of them");
    std::size_t key_width = 0, type_width = 0, value_width = 0;
    for (const auto& field : fields) {
        key_width = std::max(key_width, field.path().size());
        type_width = std::max(type_width, type_name(field.default_value).size());
        value_width = std::max(value_width, value_text(field.default_value).size());
    }
    for (const auto& field : fields) {
        const std::string accepts = field.allowed.empty() ? range_text(field) : join(field.allowed, " | ");
        const std::string unit = field.unit_text.empty() ? "" : " [" + field.unit_text + "]";
        std::string needs;
        for (const auto& condition : field.conditions) needs += "; only with " + condition.need;
        const auto column = [](const std::string& text, std::size_t width) {
            return text + std::string(width - text.size() + 2, ' ');
        };
        std::cout << column(field.path(), key_width) << column(type_name(field.default_value), type_width)
                  << column(value_text(field.default_value), value_width) << field.help << unit
                  << (accepts.empty() ? "" : " (" + accepts + ")") << needs << "\n";
    }
}

void add_list(CLI::App& parent, VerbContext& context) {
    auto flags = std::make_shared<ListFlags>();
    auto* verb = add_verb(parent, context, "list", "Print every key with its type, default and meaning",
                          "longbow config list optim");
    auto* prefix = verb->add_option("PREFIX", flags->prefix, "Only keys with this prefix, e.g. train or optim.beta");
    verb->add_flag("--markdown", flags->markdown, "The reference page docs/configuration.md")->excludes(prefix);
    run_with(verb, context, [flags](const CommonOptions&) {
        const auto& known = registered_config_context();
        if (flags->markdown) {
            std::cout << config_reference(known);
        } else {
            print_list(flags->prefix, known);
        }
        return 0;
    });
}

void add_config(CLI::App& app, VerbContext& context) {
    auto* group = add_verb_group(app, "config", "Show, check and explain configurations",
                                 "longbow config show -c configs/demo/alibi.yaml");
    add_show(*group, context);
    add_check(*group, context);
    add_schema(*group, context);
    add_list(*group, context);
}
LONGBOW_REGISTER_VERB(80, add_config);

}  // namespace

}  // namespace longbow
