// Turns settings, in their order of precedence, into a checked Config.
#include "longbow/config/load.h"

#include <algorithm>
#include <map>

#include "checks.h"
#include "longbow/config/fields.h"
#include "longbow/core/error.h"
#include "longbow/core/strings.h"
#include "position_layers.h"
#include "source.h"

namespace longbow {

namespace {

class Builder {
public:
    explicit Builder(const ConfigContext& context) : context_(context), fields_(config_fields(context)) {
        for (const auto& field : fields_) by_path_[field.path()] = &field;
        for (const auto& selector : selectors()) {
            for (const auto& variant : context.*selector.variants) {
                variants_.push_back({&selector, variant.name, option_fields(context, selector, variant.name)});
            }
        }
    }

    LoadedConfig build(const std::vector<Assignment>& assignments) {
        // The chosen objects come first, because they decide what the other keys of their sections mean.
        for (const auto& assignment : assignments) {
            if (!is_option(assignment)) assign(assignment);
        }
        drop_own_layers(assignments);
        for (const auto& selector : selectors()) {
            for (const auto& field : chosen(selector)) field.set(config_, field.default_value);
        }
        for (const auto& assignment : assignments) {
            if (is_option(assignment)) assign_option(assignment);
        }
        for (const auto& [path, assignment] : options_set_) {
            const auto& selector = *selector_of(assignment->section);
            const auto& known = chosen(selector);
            const auto field =
                std::find_if(known.begin(), known.end(), [&path = path](const Field& f) { return f.path() == path; });
            if (field == known.end() && assignment->own) continue;  // belongs to the run's former choice
            if (field == known.end()) refuse_option(selector, *assignment);
            field->set(config_, parse(*field, *assignment));
            origins_[path] = origin_of(*assignment);
        }
        reset_ineffective_own_keys(config_, context_, origins_);
        check_config(config_, context_, origins_);
        return {std::move(config_), std::move(origins_)};
    }

private:
    struct Named {
        const Selector* selector;
        std::string name;
        std::vector<Field> fields;
    };

    static Origin origin_of(const Assignment& a) { return {a.origin, a.layer, a.own}; }

    // A key that is not shared, in a section with a selector, is an option of some object.
    [[nodiscard]] bool is_option(const Assignment& a) const {
        return selector_of(a.section) != nullptr && !a.name.empty() && by_path_.find(a.path()) == by_path_.end();
    }

    [[nodiscard]] const std::vector<Field>& chosen(const Selector& selector) const {
        static const std::vector<Field> none;
        for (const auto& variant : variants_) {
            if (variant.selector == &selector && variant.name == selector.chosen(config_)) return variant.fields;
        }
        return none;
    }

    // Layers that longbow wrote give way to a method that the user has chosen for all layers.
    void drop_own_layers(const std::vector<Assignment>& assignments) {
        const Field& layers = *by_path_.at("position.layers");
        const auto set = origins_.find(layers.path());
        if (set == origins_.end() || !set->second.own) return;
        for (const auto& assignment : assignments) {
            if (assignment.own || assignment.path() != "position.method") continue;
            if (assignment.value.kind == RawValue::Kind::null) continue;
            layers.set(config_, layers.default_value);
            origins_.erase(layers.path());
            return;
        }
    }

    // On the command line, a,b is also a list.
    FieldValue parse(const Field& field, Assignment assignment) {
        auto& raw = assignment.value;
        if (std::holds_alternative<std::vector<PositionLayer>>(field.default_value)) {
            auto parsed = parse_layers(field, assignment, context_);
            for (const auto& [path, place] : parsed.places) origins_[path] = {place, assignment.layer, assignment.own};
            return std::move(parsed.layers);
        }
        const bool list = std::holds_alternative<std::vector<std::int64_t>>(field.default_value) ||
                          std::holds_alternative<std::vector<std::string>>(field.default_value);
        if (list && assignment.is_override && raw.kind == RawValue::Kind::scalar) {
            for (const auto& part : split(raw.text, ',')) {
                raw.items.push_back({.kind = RawValue::Kind::scalar, .text = std::string(trim(part))});
            }
            raw.kind = RawValue::Kind::list;
        }
        return parse_value(field, assignment);
    }

    void assign(const Assignment& assignment) {
        const auto found = by_path_.find(assignment.path());
        if (found == by_path_.end()) return refuse_unknown(assignment);
        const Field& field = *found->second;
        std::erase_if(origins_, [&](const auto& one) { return starts_with(one.first, field.path() + "["); });
        if (assignment.value.kind == RawValue::Kind::null) {
            field.set(config_, field.default_value);
            origins_.erase(field.path());
            return;
        }
        field.set(config_, parse(field, assignment));
        origins_[field.path()] = origin_of(assignment);
    }

    // A key that no object has is an error at once. Whether it belongs to the chosen object is decided at the end,
    // because an override may still withdraw it.
    void assign_option(const Assignment& assignment) {
        bool known = false;
        for (const auto& variant : variants_) {
            for (const auto& field : variant.fields) known = known || field.path() == assignment.path();
        }
        if (!known) refuse_unknown(assignment);
        if (assignment.value.kind == RawValue::Kind::null) {
            options_set_.erase(assignment.path());
        } else {
            options_set_[assignment.path()] = &assignment;
        }
    }

    [[noreturn]] void refuse_option(const Selector& selector, const Assignment& assignment) const {
        std::vector<std::string> owners, keys;
        const auto& name = selector.chosen(config_);
        if (name.empty()) {
            throw ConfigError(assignment.origin + ": " + assignment.path() +
                              " has no effect with position.layers: write it among the options of an entry there");
        }
        for (const auto& variant : variants_) {
            for (const auto& field : variant.fields) {
                if (field.path() == assignment.path()) owners.push_back(variant.name);
                if (variant.selector == &selector && variant.name == name) keys.push_back(field.name);
            }
        }
        throw ConfigError(assignment.origin + ": " + assignment.path() + " has no effect here: it needs " +
                          selector.path() + ": " + join(owners, " or ") + ", and " + selector.path() + " is " + name +
                          " (its options: " + (keys.empty() ? "none" : join(keys, ", ")) + ")");
    }

    void refuse_unknown(const Assignment& assignment) const {
        const std::string& section = assignment.section;
        std::vector<std::string> sections, keys, elsewhere;
        for (const auto& known : config_sections()) sections.push_back(known.name);
        const bool known_section = std::find(sections.begin(), sections.end(), section) != sections.end();
        if (known_section && assignment.name.empty()) {
            if (assignment.value.kind == RawValue::Kind::null) return;  // "model:" without keys
            throw ConfigError(assignment.origin + ": " + section + ": expected keys below it, each on its own line");
        }
        // "lr: 1" without its section is a key, too.
        const std::string& wanted = known_section ? assignment.name : section;
        const auto consider = [&](const Field& field) {
            if (field.section == section) keys.push_back(field.name);
            if (field.name == wanted && (known_section || assignment.name.empty())) elsewhere.push_back(field.path());
        };
        for (const auto& field : fields_) consider(field);
        for (const auto& variant : variants_) std::for_each(variant.fields.begin(), variant.fields.end(), consider);
        const auto near = nearest(wanted, known_section ? keys : sections);
        std::string message = assignment.origin + ": unknown " +
                              (known_section ? "key '" + assignment.path() : "section '" + section) + "'";
        if (!elsewhere.empty()) {
            message += ", did you mean '" + join(elsewhere, "' or '") + "'?";
        } else if (near) {
            message += ", did you mean '" + (known_section ? section + "." + *near : *near) + "'?";
        } else {
            message += "; there are: " + join(known_section ? keys : sections, ", ");
        }
        throw ConfigError(message);
    }

    const ConfigContext& context_;
    std::vector<Field> fields_;
    std::vector<Named> variants_;
    std::map<std::string, const Field*> by_path_;
    std::map<std::string, const Assignment*> options_set_;
    Config config_;
    Origins origins_;
};

}  // namespace

Config load_config(const LoadRequest& request, const ConfigContext& context) {
    return load_with_origins(request, context).config;
}

LoadedConfig load_with_origins(const LoadRequest& request, const ConfigContext& context) {
    std::vector<Assignment> assignments;
    std::size_t layers = 0;
    const auto add = [&](std::vector<Assignment> more) {
        std::size_t above = layers;
        for (auto& assignment : more) {
            assignment.layer += layers;
            above = std::max(above, assignment.layer + 1);
            assignments.push_back(std::move(assignment));
        }
        layers = above;
    };
    if (!request.base.is_null()) add(read_config_text(request.base.dump(2), request.base_name, /*own=*/true));
    for (const auto& file : request.files) add(read_config_file(file));
    std::vector<Assignment> overrides;
    for (const auto& text : request.overrides) overrides.push_back(read_override(text));
    add(std::move(overrides));
    return Builder(context).build(assignments);
}

Config parse_config(const std::string& yaml, const std::string& name, const ConfigContext& context) {
    return Builder(context).build(read_config_text(yaml, name)).config;
}

Config config_from_json(const Json& json, const std::string& name, const ConfigContext& context) {
    // JSON is YAML, and line numbers of the indented text are better than none.
    return parse_config(json.dump(2), name, context);
}

}  // namespace longbow
