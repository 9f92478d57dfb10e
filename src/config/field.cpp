// What every field can do, and the fields that position methods bring along.
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

std::vector<Field> method_fields(const ConfigContext& context, const std::string& method) {
    std::vector<Field> fields;
    for (const auto& variant : context.position_methods) {
        if (variant.name != method) continue;
        for (const auto& option : variant.options) {
            Field field;
            field.section = "position";
            field.name = option.key;
            field.help = option.help;
            field.default_value = std::visit([](const auto& value) { return FieldValue(value); }, option.default_value);
            field.allowed = option.choices;
            field.minimum = option.minimum;
            field.maximum = option.maximum;
            field.since_version = option.since;
            field.get = [key = option.key, fallback = field.default_value](const Config& config) {
                const auto found = config.position.options.find(key);
                if (found == config.position.options.end()) return fallback;
                return std::visit([](const auto& v) { return FieldValue(v); }, found->second);
            };
            field.set = [key = option.key](Config& config, const FieldValue& value) {
                std::visit(
                    [&](const auto& v) {
                        if constexpr (requires { OptionValue(std::in_place_type<std::decay_t<decltype(v)>>, v); }) {
                            config.position.options[key] = v;
                        }
                    },
                    value);
            };
            fields.push_back(std::move(field));
        }
    }
    return fields;
}

std::vector<Field> effective_fields(const Config& config, const ConfigContext& context) {
    std::vector<Field> fields;
    for (auto& field : config_fields(context)) {
        const bool selects_method = field.path() == "position.method";
        if (field.without_effect(config) == nullptr) fields.push_back(std::move(field));
        if (!selects_method) continue;
        for (auto& option : method_fields(context, config.position.method)) fields.push_back(std::move(option));
    }
    return fields;
}

std::string range_text(const Field& field) {
    // Large whole bounds in full: 1000000000 rather than 1e+09.
    const auto text = [](double bound) {
        return bound == std::floor(bound) && std::abs(bound) < 1e15 ? strprintf("%.0f", bound) : number_text(bound);
    };
    std::vector<std::string> bounds;
    if (field.minimum) bounds.push_back((field.open_minimum ? "above " : "at least ") + text(*field.minimum));
    if (field.maximum) bounds.push_back((field.open_maximum ? "below " : "at most ") + text(*field.maximum));
    return join(bounds, " and ");
}

}  // namespace longbow
