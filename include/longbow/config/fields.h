// Every key of a configuration, declared once. Reading, overrides, checks, the resolved YAML, the JSON schema, `longbow config list`
// and docs/configuration.md all come from these declarations.
//
// To add a field: a member with its default in its struct in config/config.h, and one line in src/config/fields.cpp, in its section:
//
//     key("patience", &TrainConfig::patience, "Validations without a new best before the run ends; 0 is never").range(0, 1000);
//
// The type and the default come from the member. What may follow the line: .unit("tokens"), .range(low, high), .at_least(low),
// .at_most(high), .above(low), .below(high), .choices({..}), .unique(), and .when(..) for a key that only matters in some
// configurations. A key that is newer than version 0.2.0 says .since("0.3.0"): at its default it is left out of the fingerprints, so that
// rows of results.jsonl that were measured before there was such a key are found again. Relations between keys that both have an effect
// belong to src/config/checks.cpp. Then write docs/configuration.md anew with `longbow config list --markdown > docs/configuration.md` (a test compares).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/config/load.h"

namespace longbow {

// What a field may hold. Unsigned members are read as integers of at least 0.
using FieldValue = std::variant<bool, std::int64_t, double, std::string, Duration, std::vector<std::int64_t>, std::vector<std::string>>;

// When a field has an effect: the key that decides, in words, and as a test.
struct Condition {
    std::string decider;  // "optim.name"
    std::string need;     // "optim.name: adamw"
    std::function<bool(const Config&)> holds;
};

struct Field {
    std::string section, name;
    std::string help;
    std::string unit_text;                            // "tokens", "sequences"; empty: a pure number or text
    FieldValue default_value;                         // its alternative is the field's type
    std::vector<std::string> allowed;                 // texts only; empty: any
    std::optional<double> minimum, maximum;           // numbers, each element of a list, a duration's value
    bool open_minimum = false, open_maximum = false;  // the bound itself is out
    bool no_repeats = false;                          // lists
    bool read_by_chosen = false;                      // has an effect where the section's chosen object reads it (Variant::reads)
    std::vector<Condition> conditions;                // all must hold
    std::string since_version;                        // "0.3.0": the version that brought the key; empty: 0.2.0 or before
    std::function<FieldValue(const Config&)> get;
    std::function<void(Config&, const FieldValue&)> set;

    [[nodiscard]] std::string path() const { return section + "." + name; }
    // The first condition that does not hold; null when the field has an effect.
    [[nodiscard]] const Condition* without_effect(const Config& config) const;

    Field& unit(std::string text);
    Field& range(double low, double high);
    Field& at_least(double low);
    Field& at_most(double high);
    Field& above(double low);
    Field& below(double high);
    Field& choices(std::vector<std::string> list);
    Field& unique();
    // A key that registered objects share: only those that list it in their registration (optim.momentum) give it an effect.
    Field& when_read();
    Field& when(std::string decider, std::string need, std::function<bool(const Config&)> holds);
    Field& since(std::string version);
};

struct Section {
    std::string name, help;
};

// Sections and their fields in the order of config.h. What only the registries know (choices of position.method and attention.backend, which
// methods have slopes) is filled in from `context`; keys of the chosen objects come from option_fields().
const std::vector<Section>& config_sections();
std::vector<Field> config_fields(const ConfigContext& context);

// A key that chooses a registered object, whose own options are further keys of the section.
struct Selector {
    std::string section, key;  // "position", "method"
    std::vector<Variant> ConfigContext::*variants;
    const std::string& (*chosen)(const Config& config);
    OptionMap& (*options)(Config& config);

    [[nodiscard]] std::string path() const { return section + "." + key; }
};
const std::vector<Selector>& selectors();
// Null for a section that has none.
const Selector* selector_of(const std::string& section);
// The options of one object as fields of the selector's section. Empty for a name that `context` does not know.
std::vector<Field> option_fields(const ConfigContext& context, const Selector& selector, const std::string& name);
// Whether the object that `config` chooses in this section reads the section's shared key.
bool chosen_reads(const Config& config, const ConfigContext& context, const Selector& selector, const std::string& key);

// All fields that matter in this configuration: config_fields() and the method's, less those without effect.
std::vector<Field> effective_fields(const Config& config, const ConfigContext& context);

// The fingerprint of the values of these fields (effective_fields(), as a rule), without those that have a since_version and their default.
std::string fields_fingerprint(const Config& config, const std::vector<Field>& fields);

// "integer", "number", "list of texts", .. ; the value as YAML writes it, on one line; as JSON.
std::string type_name(const FieldValue& value);
std::string value_text(const FieldValue& value);
Json value_json(const FieldValue& value);
// "at least 1", "at least 0 and below 1"; empty without bounds.
std::string range_text(const Field& field);

}  // namespace longbow
