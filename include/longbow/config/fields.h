// Every key of a configuration is declared once. Reading, overrides, checks, the resolved YAML, the JSON schema,
// `longbow config list` and docs/configuration.md all use these declarations.
//
// To add a field, add a member with its default to its struct in config/config.h, and one line to its section in
// src/config/fields.cpp:
//
//     key("patience", &TrainConfig::patience, "Validations without a new best before the run ends; 0 is never")
//         .range(0, 1000);
//
// The type and the default come from the member. The line may continue with .unit("tokens"), .range(low, high),
// .at_least(low), .at_most(high), .above(low), .below(high), .choices({..}), .unique(), and .when(..) for a key that
// has an effect only in some configurations. A key that is newer than version 0.2.0 needs .since("0.3.0"): at its
// default it is left out of the fingerprints, so that rows of results.jsonl that were measured before the key existed
// are still found. Relations between keys that both have an effect belong to src/config/checks.cpp. At the end write
// docs/configuration.md anew with `longbow config list --markdown > docs/configuration.md` (a test compares it).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/config/load.h"
#include "longbow/config/options.h"

namespace longbow {

// The value of a field. Unsigned members are stored as integers of at least 0.
using FieldValue = std::variant<bool, std::int64_t, double, std::string, Duration, std::vector<std::int64_t>,
                                std::vector<std::string>, std::vector<PositionLayer>>;

struct Field {
    std::string section, name;
    std::string help;
    std::string unit_text;                            // "tokens", "sequences"; empty: a pure number or text
    FieldValue default_value;                         // its alternative is the field's type
    std::vector<std::string> allowed;                 // allowed texts; empty: any
    std::optional<double> minimum, maximum;           // of numbers, of each element of a list, of a duration's value
    bool open_minimum = false, open_maximum = false;  // the bound itself is not allowed
    bool no_repeats = false;                          // the elements of a list must differ
    bool read_by_chosen = false;                      // has an effect if the chosen object reads it (Variant::reads)
    std::vector<Condition> conditions;                // all must hold
    std::string since_version;                        // the version that added the key; empty: 0.2.0 or before
    std::function<FieldValue(const Config&)> get;
    std::function<void(Config&, const FieldValue&)> set;

    [[nodiscard]] std::string path() const { return section + "." + name; }
    // Returns the first condition that does not hold, or null when the field has an effect.
    [[nodiscard]] const Condition* without_effect(const Config& config) const;

    // The following set members of this field and return it, so that calls can be chained.
    Field& unit(std::string text);
    Field& range(double low, double high);
    Field& at_least(double low);
    Field& at_most(double high);
    Field& above(double low);
    Field& below(double high);
    Field& choices(std::vector<std::string> list);
    Field& unique();
    // Marks a key that registered objects share, such as optim.momentum. It has an effect only with objects that list
    // it in their registration.
    Field& when_read();
    Field& when(std::string decider, std::string need, std::function<bool(const Config&)> holds);
    Field& since(std::string version);
};

struct Section {
    std::string name, help;
};

// Sections and their fields in the order of config.h. What only the registries know (choices of position.method, which
// methods have slopes, what the kinds of tokenizers are) is filled in from `context`; keys of the chosen objects come
// from option_fields().
const std::vector<Section>& config_sections();
std::vector<Field> config_fields(const ConfigContext& context);

// A key that chooses a registered object. The object's own options are further keys of the section.
struct Selector {
    std::string section, key;  // "position", "method"
    std::vector<Variant> ConfigContext::*variants;
    // These return the chosen name (empty if the key has no effect, since position.layers chooses) and the chosen
    // object's options.
    const std::string& (*chosen)(const Config& config);
    OptionMap& (*options)(Config& config);

    [[nodiscard]] std::string path() const { return section + "." + key; }
};
// Returns the selectors of position.method, attention.backend, task.name, optim.name and schedule.name.
const std::vector<Selector>& selectors();
// Returns the selector of a section, or null if it has none.
const Selector* selector_of(const std::string& section);
// Returns the options of one object as fields of the selector's section; none for a name that `context` does not have.
std::vector<Field> option_fields(const ConfigContext& context, const Selector& selector, const std::string& name);
// The options of all kinds of tokenizers, by name; config_fields() has them among the section's keys.
std::vector<Field> tokenizer_option_fields(const ConfigContext& context);
// Whether the object that `config` chooses in this section reads the section's shared key.
bool chosen_reads(const Config& config, const ConfigContext& context, const Selector& selector, const std::string& key);

// Returns all fields that have an effect in this configuration: those of config_fields() and of the chosen objects.
std::vector<Field> effective_fields(const Config& config, const ConfigContext& context);

// Returns the fingerprint of the values of these fields, which are usually effective_fields(). Fields with a
// since_version are left out at their defaults.
std::string fields_fingerprint(const Config& config, const std::vector<Field>& fields);

// These describe a value: its type ("integer", "number", "list of texts", ..), its one-line YAML text, and its JSON.
std::string type_name(const FieldValue& value);
std::string value_text(const FieldValue& value);
Json value_json(const FieldValue& value);
// Returns "at least 1", "at least 0 and below 1", or an empty text without bounds.
std::string range_text(const Field& field);

}  // namespace longbow
