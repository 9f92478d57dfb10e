// The members of Field, and the fields of registered objects (position methods, attention back-ends, optimizers,
// schedules).
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "longbow/config/fields.h"
#include "longbow/core/strings.h"

namespace longbow {

const Condition* Field::without_effect(const Config& config) const {
    for (const auto& condition : conditions) {
        if (!condition.holds(config)) return &condition;
    }
    return nullptr;
}

Field& Field::unit(std::string text) {
    unit_text = std::move(text);
    return *this;
}

Field& Field::range(double low, double high) { return at_least(low).at_most(high); }

Field& Field::at_least(double low) {
    minimum = low;
    open_minimum = false;
    return *this;
}

Field& Field::at_most(double high) {
    maximum = high;
    open_maximum = false;
    return *this;
}

Field& Field::above(double low) {
    minimum = low;
    open_minimum = true;
    return *this;
}

Field& Field::below(double high) {
    maximum = high;
    open_maximum = true;
    return *this;
}

Field& Field::choices(std::vector<std::string> list) {
    allowed = std::move(list);
    return *this;
}

Field& Field::unique() {
    no_repeats = true;
    return *this;
}

Field& Field::when(std::string decider, std::string need, std::function<bool(const Config&)> holds) {
    conditions.push_back({std::move(decider), std::move(need), std::move(holds)});
    return *this;
}

Field& Field::since(std::string version) {
    since_version = std::move(version);
    return *this;
}

Field& Field::when_read() {
    read_by_chosen = true;
    return *this;
}

const std::vector<Selector>& selectors() {
    static const std::vector<Selector> all = {
        {"position", "method", &ConfigContext::position_methods,
         [](const Config& c) -> const std::string& {
             static const std::string none;  // each entry of position.layers chooses for itself
             return c.position.layers.empty() ? c.position.method : none;
         },
         [](Config& c) -> OptionMap& { return c.position.options; }},
        {"attention", "backend", &ConfigContext::attention_backends,
         [](const Config& c) -> const std::string& { return c.attention.backend; },
         [](Config& c) -> OptionMap& { return c.attention.options; }},
        {"task", "name", &ConfigContext::tasks, [](const Config& c) -> const std::string& { return c.task.name; },
         [](Config& c) -> OptionMap& { return c.task.options; }},
        {"optim", "name", &ConfigContext::optimizers,
         [](const Config& c) -> const std::string& { return c.optim.name; },
         [](Config& c) -> OptionMap& { return c.optim.options; }},
        {"schedule", "name", &ConfigContext::schedules,
         [](const Config& c) -> const std::string& { return c.schedule.name; },
         [](Config& c) -> OptionMap& { return c.schedule.options; }},
    };
    return all;
}

const Selector* selector_of(const std::string& section) {
    const auto& all = selectors();
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const Selector& one) { return one.section == section; });
    return found == all.end() ? nullptr : &*found;
}

namespace {

using OptionsOf = OptionMap& (*)(Config&);

Field option_field(const OptionSpec& option, const std::string& section, OptionsOf options_of) {
    Field field;
    field.section = section;
    field.name = option.key;
    field.help = option.help;
    field.default_value = std::visit([](const auto& value) { return FieldValue(value); }, option.default_value);
    field.allowed = option.choices;
    field.minimum = option.minimum;
    field.maximum = option.maximum;
    field.since_version = option.since;
    field.conditions = option.conditions;
    field.get = [key = option.key, fallback = field.default_value, options_of](const Config& config) {
        const auto& set = options_of(const_cast<Config&>(config));  // the accessor is one for reading and writing
        const auto found = set.find(key);
        if (found == set.end()) return fallback;
        return std::visit([](const auto& v) { return FieldValue(v); }, found->second);
    };
    field.set = [key = option.key, options_of](Config& config, const FieldValue& value) {
        std::visit(
            [&](const auto& v) {
                if constexpr (requires { OptionValue(std::in_place_type<std::decay_t<decltype(v)>>, v); })
                    options_of(config)[key] = v;
            },
            value);
    };
    return field;
}

}  // namespace

std::vector<Field> option_fields(const ConfigContext& context, const Selector& selector, const std::string& name) {
    std::vector<Field> fields;
    for (const auto& variant : context.*selector.variants) {
        if (variant.name != name) continue;
        for (const auto& option : variant.options)
            fields.push_back(option_field(option, selector.section, selector.options));
    }
    return fields;
}

std::vector<Field> tokenizer_option_fields(const ConfigContext& context) {
    std::vector<Field> fields;
    const auto options_of = [](Config& config) -> OptionMap& { return config.tokenizer.options; };
    for (const auto& kind : context.tokenizers) {
        for (const auto& option : kind.options) {
            auto field = option_field(option, "tokenizer", options_of);
            field.conditions.insert(field.conditions.begin(),
                                    {"tokenizer.kind", "tokenizer.kind: " + kind.name,
                                     [name = kind.name](const Config& c) { return c.tokenizer.kind == name; }});
            // A default is not kept, so that configurations that say the same are equal.
            field.set = [set = field.set, key = option.key, fallback = field.default_value](Config& config,
                                                                                            const FieldValue& value) {
                config.tokenizer.options.erase(key);
                if (value != fallback) set(config, value);
            };
            fields.push_back(std::move(field));
        }
    }
    std::sort(fields.begin(), fields.end(), [](const Field& a, const Field& b) { return a.name < b.name; });
    return fields;
}

bool chosen_reads(const Config& config, const ConfigContext& context, const Selector& selector,
                  const std::string& key) {
    const auto& variants = context.*selector.variants;
    return std::any_of(variants.begin(), variants.end(), [&](const Variant& variant) {
        return variant.name == selector.chosen(config) &&
               std::find(variant.reads.begin(), variant.reads.end(), key) != variant.reads.end();
    });
}

std::vector<Field> effective_fields(const Config& config, const ConfigContext& context) {
    std::vector<Field> fields;
    for (auto& field : config_fields(context)) {
        const auto* selector = selector_of(field.section);
        const bool selects = selector != nullptr && selector->key == field.name;
        if (field.without_effect(config) == nullptr) fields.push_back(std::move(field));
        if (!selects) continue;
        for (auto& option : option_fields(context, *selector, selector->chosen(config))) {
            if (option.without_effect(config) == nullptr) fields.push_back(std::move(option));
        }
    }
    return fields;
}

std::string range_text(const Field& field) {
    // Large whole bounds are written in full: 1000000000 instead of 1e+09.
    const auto text = [](double bound) {
        return bound == std::floor(bound) && std::abs(bound) < 1e15 ? fmt::format("{:.0f}", bound) : number_text(bound);
    };
    std::vector<std::string> bounds;
    if (field.minimum) bounds.push_back((field.open_minimum ? "above " : "at least ") + text(*field.minimum));
    if (field.maximum) bounds.push_back((field.open_maximum ? "below " : "at most ") + text(*field.maximum));
    return join(bounds, " and ");
}

}  // namespace longbow
