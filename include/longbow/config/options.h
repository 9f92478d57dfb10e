// Options that a registered object (a position method, an optimizer, a schedule) declares for itself. They get the same
// checks, help and schema as every other key.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "longbow/config/config.h"

namespace longbow {

struct OptionSpec {
    std::string key{};
    OptionValue default_value{};  // its alternative is the option's type
    std::string help{};
    std::vector<std::string> choices{};          // of texts; empty: any
    std::optional<double> minimum{}, maximum{};  // of numbers
    std::string since{};                         // version that added it, if after 0.2.0; see Field::since()
};

// What a registered object adds to its section.
struct Variant {
    std::string name{};
    std::string help{};
    std::vector<OptionSpec> options{};
    bool slopes = false;               // what attention.skip_threshold needs; see PositionEntry
    std::vector<std::string> reads{};  // shared keys that it reads ("momentum"); see Field::when_read()
};

// Adds the declared defaults of options that are missing. A configuration that was loaded has all options.
void fill_defaults(OptionMap& options, const std::vector<OptionSpec>& specs);

// These return an option of a loaded configuration. They throw ConfigError when it is missing or has another type,
// which is a programming error.
bool option_bool(const OptionMap& options, const std::string& key);
std::int64_t option_int(const OptionMap& options, const std::string& key);
double option_double(const OptionMap& options, const std::string& key);
std::string option_string(const OptionMap& options, const std::string& key);

}  // namespace longbow
