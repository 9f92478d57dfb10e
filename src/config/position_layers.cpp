#include "position_layers.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "longbow/core/error.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

using Kind = RawValue::Kind;

constexpr const char* kMethod = "method";
constexpr const char* kWindow = "window";
constexpr const char* kOptions = "options";

const Selector& position_selector() { return *selector_of("position"); }

std::string entry_path(std::size_t entry) { return "position.layers[" + std::to_string(entry) + "]"; }

// Reads one entry with the fields that `position` itself has, under the entry's own path.
class EntryReader {
public:
    EntryReader(const ConfigContext& context, const Assignment& assignment, std::size_t entry, ParsedLayers& parsed)
        : context_(context), assignment_(assignment), entry_(entry), path_(entry_path(entry)), parsed_(parsed) {}

    void read(const RawValue& raw) {
        const auto origin = raw.place.empty() ? assignment_.origin : raw.place;
        if (raw.kind != Kind::map)
            throw ConfigError(origin + ": " + path_ + ": expected a mapping of method, window and options");
        const RawValue* method = nullptr;
        for (std::size_t i = 0; i < raw.keys.size(); ++i) {
            if (raw.keys[i] == kMethod) method = &raw.items[i];
            if (raw.keys[i] != kMethod && raw.keys[i] != kWindow && raw.keys[i] != kOptions)
                refuse_key(raw.items[i], "unknown key '" + raw.keys[i] + "'", raw.keys[i],
                           {kMethod, kWindow, kOptions});
        }
        if (method == nullptr) throw ConfigError(origin + ": " + path_ + ": an entry needs a method");
        layer_.method = std::get<std::string>(value(own_field(kMethod), *method));
        for (std::size_t i = 0; i < raw.keys.size(); ++i) {
            if (raw.items[i].kind == Kind::null) continue;
            if (raw.keys[i] == kWindow) layer_.window = std::get<std::int64_t>(value(own_field(kWindow), raw.items[i]));
            if (raw.keys[i] == kOptions) read_options(raw.items[i]);
        }
        parsed_.layers.push_back(std::move(layer_));
    }

private:
    [[nodiscard]] Field own_field(const std::string& name) const {
        for (auto& field : config_fields(context_)) {
            if (field.section != position_selector().section || field.name != name) continue;
            field.section = path_;
            return field;
        }
        throw Error("position." + name + " is not declared");
    }

    [[nodiscard]] FieldValue value(const Field& field, const RawValue& raw) const {
        return parse_value(field, {field.section, field.name, raw, raw.place});
    }

    [[noreturn]] static void refuse_key(const RawValue& at, const std::string& what, const std::string& given,
                                        const std::vector<std::string>& known) {
        const auto near = nearest(given, known);
        throw ConfigError(at.place + ": " + what +
                          (near ? ", did you mean '" + *near + "'?"
                                : "; there are: " + (known.empty() ? "none" : join(known, ", "))));
    }

    void read_options(const RawValue& raw) {
        if (raw.kind != Kind::map) throw ConfigError(raw.place + ": " + path_ + ".options: expected a mapping");
        const auto fields = layer_option_fields(context_, layer_, entry_);
        std::vector<std::string> known;
        for (const auto& field : fields) known.push_back(field.name);
        for (std::size_t i = 0; i < raw.keys.size(); ++i) {
            const auto& item = raw.items[i];
            const auto field =
                std::find_if(fields.begin(), fields.end(), [&](const Field& one) { return one.name == raw.keys[i]; });
            if (field == fields.end())
                refuse_key(item, path_ + ": method " + layer_.method + " has no option '" + raw.keys[i] + "'",
                           raw.keys[i], known);
            if (item.kind == Kind::null) continue;
            const auto given = value(*field, item);
            parsed_.places[field->path()] = item.place;
            if (given == field->default_value) continue;
            std::visit(
                [&](const auto& v) {
                    if constexpr (requires { OptionValue(std::in_place_type<std::decay_t<decltype(v)>>, v); })
                        layer_.options[field->name] = v;
                },
                given);
        }
    }

    const ConfigContext& context_;
    const Assignment& assignment_;
    std::size_t entry_;
    std::string path_;
    ParsedLayers& parsed_;
    PositionLayer layer_;
};

FieldValue field_value(const OptionValue& value) {
    return std::visit([](const auto& v) { return FieldValue(v); }, value);
}

}  // namespace

std::string PositionConfig::method_names() const {
    if (layers.empty()) return method;
    std::vector<std::string> names;
    for (const auto& layer : layers) {
        if (std::find(names.begin(), names.end(), layer.method) == names.end()) names.push_back(layer.method);
    }
    return join(names, "+");
}

ParsedLayers parse_layers(const Field& field, const Assignment& assignment, const ConfigContext& context) {
    const auto& raw = assignment.value;
    if (raw.kind != Kind::list && raw.kind != Kind::map)
        throw ConfigError(assignment.origin + ": " + field.path() +
                          ": expected a list of {method: .., window: .., options: {..}}");
    ParsedLayers parsed;
    std::vector<RawValue> entries = raw.items;
    if (raw.kind == Kind::map) entries = {raw};
    for (std::size_t i = 0; i < entries.size(); ++i) EntryReader(context, assignment, i, parsed).read(entries[i]);
    return parsed;
}

Config with_layer(Config config, const PositionLayer& layer, const ConfigContext& context) {
    config.position = {layer.method, layer.window, {}, layer.options};
    for (const auto& variant : context.position_methods) {
        if (variant.name == layer.method) fill_defaults(config.position.options, variant.options);
    }
    return config;
}

std::vector<Field> layer_option_fields(const ConfigContext& context, const PositionLayer& layer, std::size_t entry) {
    auto fields = option_fields(context, position_selector(), layer.method);
    for (auto& field : fields) field.section = entry_path(entry) + "." + kOptions;
    return fields;
}

std::string layers_text(const std::vector<PositionLayer>& layers) {
    std::vector<std::string> entries;
    for (const auto& layer : layers) {
        std::string text = std::string("{") + kMethod + ": " + value_text(layer.method);
        if (layer.window != 0) text += std::string(", ") + kWindow + ": " + std::to_string(layer.window);
        std::vector<std::string> options;
        for (const auto& [key, value] : layer.options) options.push_back(key + ": " + value_text(field_value(value)));
        if (!options.empty()) text += std::string(", ") + kOptions + ": {" + join(options, ", ") + "}";
        entries.push_back(text + "}");
    }
    return "[" + join(entries, ", ") + "]";
}

Json layers_json(const std::vector<PositionLayer>& layers) {
    Json list = Json::array();
    for (const auto& layer : layers) {
        Json entry = {{kMethod, value_json(layer.method)}};
        if (layer.window != 0) entry[kWindow] = layer.window;
        for (const auto& [key, value] : layer.options) entry[kOptions][key] = value_json(field_value(value));
        list.push_back(std::move(entry));
    }
    return list;
}

Json layers_schema(const ConfigContext& context, const std::function<Json(const Field&)>& key_schema) {
    Json properties = Json::object();
    for (const auto& field : config_fields(context)) {
        if (field.section != position_selector().section || (field.name != kMethod && field.name != kWindow)) continue;
        auto alone = field;
        alone.conditions.clear();
        properties[field.name] = key_schema(alone);
    }
    properties[kOptions] = {{"type", {"object", "null"}}};
    Json entry = {{"type", "object"},
                  {"required", Json::array({kMethod})},
                  {"properties", properties},
                  {"additionalProperties", false}};
    for (const auto& variant : context.position_methods) {
        Json options = Json::object();
        for (const auto& field : option_fields(context, position_selector(), variant.name))
            options[field.name] = key_schema(field);
        entry["allOf"].push_back(
            {{"if", {{"properties", {{kMethod, {{"const", variant.name}}}}}}},
             {"then", {{"properties", {{kOptions, {{"properties", options}, {"additionalProperties", false}}}}}}}});
    }
    const Json list = {{"type", "array"}, {"items", entry}};
    const Json nothing = {{"type", "null"}};
    Json schema;
    schema["anyOf"] = Json::array({list, entry, nothing});
    return schema;
}

}  // namespace longbow
