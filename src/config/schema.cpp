// Prints the declarations as JSON Schema for editors and as Markdown for people.
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "longbow/config/fields.h"
#include "longbow/core/strings.h"
#include "position_layers.h"

namespace longbow {

namespace {

std::string condition_text(const Field& field) {
    std::vector<std::string> needs;
    for (const auto& condition : field.conditions) needs.push_back(condition.need);
    return join(needs, " and ");
}

// Returns the schema of one value, with bounds and choices. null is allowed because it withdraws what an included file
// has set.
Json value_schema(const Field& field, const char* type, bool nullable) {
    Json schema;
    if (nullable) {
        schema["type"] = Json::array({type, "null"});
    } else {
        schema["type"] = type;
    }
    if (!field.allowed.empty()) {
        schema["enum"] = field.allowed;
        if (nullable) schema["enum"].push_back(nullptr);
    }
    if (std::string(type) == "string") return schema;
    if (field.minimum) schema[field.open_minimum ? "exclusiveMinimum" : "minimum"] = *field.minimum;
    if (field.maximum) schema[field.open_maximum ? "exclusiveMaximum" : "maximum"] = *field.maximum;
    return schema;
}

Json field_schema(const Field& field, const ConfigContext& context) {
    Json schema;
    if (std::holds_alternative<bool>(field.default_value)) {
        schema = value_schema(field, "boolean", true);
    } else if (std::holds_alternative<std::int64_t>(field.default_value)) {
        schema = value_schema(field, "integer", true);
    } else if (std::holds_alternative<double>(field.default_value)) {
        schema = value_schema(field, "number", true);
    } else if (std::holds_alternative<std::string>(field.default_value)) {
        schema = value_schema(field, "string", true);
    } else if (std::holds_alternative<Duration>(field.default_value)) {
        schema = value_schema(field, "string", true);
        schema["pattern"] =
            "^\\s*[0-9.]+([eE][+-]?[0-9]+)?[KMBT]?\\s*"
            "(updates?|epochs?|tokens?|s|sec|seconds?|min|minutes?|h|hours?|d|days?)\\s*$";
    } else if (std::holds_alternative<std::vector<PositionLayer>>(field.default_value)) {
        schema = layers_schema(context, [&](const Field& key) { return field_schema(key, context); });
    } else {
        const bool integers = std::holds_alternative<std::vector<std::int64_t>>(field.default_value);
        const char* type = integers ? "integer" : "string";
        Json list = {{"type", "array"}, {"items", value_schema(field, type, false)}};
        if (field.no_repeats) list["uniqueItems"] = true;
        schema["anyOf"] = {list, value_schema(field, type, true)};
    }
    std::string help = field.help;
    if (!field.unit_text.empty()) help += " [" + field.unit_text + "]";
    if (!field.conditions.empty()) help += ". Only with " + condition_text(field);
    schema["description"] = help;
    schema["default"] = value_json(field.default_value);
    return schema;
}

// Makes the allowed keys of a section depend on the object that it chooses.
void add_options(Json& section, const ConfigContext& context, const Selector& selector) {
    section.erase("additionalProperties");
    section["unevaluatedProperties"] = false;
    const Config defaults;
    for (const auto& variant : context.*selector.variants) {
        Json condition = {{"properties", {{selector.key, {{"const", variant.name}}}}}};
        if (variant.name != selector.chosen(defaults)) condition["required"] = Json::array({selector.key});
        Json options = Json::object();
        for (const auto& field : option_fields(context, selector, variant.name))
            options[field.name] = field_schema(field, context);
        section["allOf"].push_back({{"if", condition}, {"then", {{"properties", options}}}});
    }
}

std::string cell(std::string text) {
    std::string escaped;
    for (const char c : text) escaped += c == '|' ? std::string("\\|") : std::string(1, c);
    return escaped;
}

std::string row(const Field& field) {
    std::vector<std::string> values;
    for (const auto& choice : field.allowed) values.push_back("`" + choice + "`");
    std::string accepts = values.empty() ? range_text(field) : join(values, ", ");
    if (std::holds_alternative<Duration>(field.default_value) && accepts == "at least 0") accepts.clear();
    std::string help = field.help;
    if (!field.conditions.empty()) help += ". Only with " + condition_text(field);
    const auto text = value_text(field.default_value);
    const std::string fallback = text == "\"\"" || text == "[]" ? "" : "`" + cell(text) + "`";
    std::string line = "|";
    for (const auto& content : {"`" + field.path() + "`", type_name(field.default_value), fallback, field.unit_text,
                                cell(accepts), cell(help)}) {
        line += content.empty() ? " |" : " " + content + " |";
    }
    return line + "\n";
}

constexpr const char* kTableHead = "| Key | Type | Default | Unit | Accepts | Meaning |\n|---|---|---|---|---|---|\n";

// Returns the table of a variant's options. Those that stand above in the same words are named only.
std::string option_tables(const std::vector<Field>& options, const std::string& variant,
                          std::map<std::string, std::string>& first_with) {
    std::string table;
    std::map<std::string, std::vector<std::string>> above;
    for (const auto& option : options) {
        const auto text = row(option);
        const auto [known, fresh] = first_with.emplace(text, variant);
        if (fresh) {
            table += text;
        } else {
            above[known->second].push_back("`" + option.path() + "`");
        }
    }
    if (!table.empty()) table = std::string("\n") + kTableHead + table;
    for (const auto& [name, keys] : above) table += "\nAs of `" + name + "`: " + join(keys, ", ") + ".\n";
    return table;
}

constexpr const char* kIntroduction = R"(# Configuration

Written by `longbow config list --markdown`; a test keeps it equal to the program.

A run is described by YAML files of sections and keys:

```yaml
include: base.yaml        # or a list; relative to this file, read before this file's own keys
position:
  method: alibi
train:
  length: 64
  stop: 600 updates
```

- What counts: defaults, then included files, then the files given with `-c` from left to right, then `section.key=value` on the command
  line. The last one wins. `longbow config show` prints the outcome.
- A run's own `config.yaml` is complete. Values in it that have no effect with what later files and overrides set are ignored and are not errors.
- `null` (or `section.key=` on the command line) takes back what an earlier file has set.
- A list of one needs no brackets; on the command line a list is `eval.lengths=64,128` or `[64, 128]`, and one of mappings
  `"position.layers=[{method: rotary, window: 512}, {method: none}]"`.
- A key that has no effect with the other settings is an error that names the key which decides; so are unknown keys, keys written twice, and
  values of another type or out of range. Errors name the file and line, and end with exit code 3.
- Integers are plain digits, with no leading zero, exponent or separator. Texts need quotes only where YAML needs them.
- Files are UTF-8, with or without a byte order mark. In a text `\xHH` stands for the byte HH, so that a name of a file that is not UTF-8 can be written.
- A duration is a number and a unit: `600 updates`, `3 epochs`, `2.5B tokens`, `20 min`. The number may end in K, M, B or T (powers of 1,000);
  the units are update, epoch, token, s (sec, second), min (minute), h (hour) and d (day), singular or plural. Seconds mean time spent training.
- `include:` is relative to the file that includes. Every other path is relative to the folder in which the command runs.
- `longbow config schema > longbow.schema.json` gives editors completion and checks.
)";

}  // namespace

Json config_schema(const ConfigContext& context) {
    Json sections = Json::object();
    for (const auto& section : config_sections()) {
        sections[section.name] = {{"type", {"object", "null"}},
                                  {"description", section.help},
                                  {"properties", Json::object()},
                                  {"additionalProperties", false}};
    }
    for (const auto& field : config_fields(context))
        sections[field.section]["properties"][field.name] = field_schema(field, context);
    for (const auto& selector : selectors()) add_options(sections[selector.section], context, selector);
    sections["include"] = {{"description", "Files that are read first, relative to this one"},
                           {"anyOf", {{{"type", "string"}}, {{"type", "array"}, {"items", {{"type", "string"}}}}}}};
    return {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
            {"title", "Longbow configuration"},
            {"type", "object"},
            {"properties", sections},
            {"additionalProperties", false}};
}

std::string config_reference(const ConfigContext& context) {
    std::string text = kIntroduction;
    const auto fields = config_fields(context);
    for (const auto& section : config_sections()) {
        text += "\n## " + section.name + "\n\n" + section.help + "\n\n" + kTableHead;
        for (const auto& field : fields) {
            if (field.section == section.name) text += row(field);
        }
        const auto* selector = selector_of(section.name);
        if (selector == nullptr) continue;
        std::map<std::string, std::string> first_with;  // of each row, the variant that it was printed for
        for (const auto& variant : context.*selector->variants) {
            text += "\n### " + selector->path() + ": " + variant.name + "\n\n" + variant.help + "\n";
            text += option_tables(option_fields(context, *selector, variant.name), variant.name, first_with);
        }
    }
    return text;
}

}  // namespace longbow
