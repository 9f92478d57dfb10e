// Options that a plug-in declares for itself (a position method): the same checks, help and schema as every other key.
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
    std::vector<std::string> choices{};          // strings only; empty: any
    std::optional<double> minimum{}, maximum{};  // numbers only
    std::string since{};                         // the version that brought the option, when it is newer than 0.2.0; see Field::since()
};

// What a registered object (a position method, an optimizer, a schedule) brings to its section: {"t5", {specs}}, {"alibi", {specs}}, ...
struct Variant {
    std::string name{};
    std::string help{};
    std::vector<OptionSpec> options{};
    bool slopes = false;               // what attention.skip_threshold needs; see PositionEntry
    std::vector<std::string> reads{};  // the section's shared keys that have an effect with it ("momentum"); see Field::when_read()
};

// Options that are left out take their declared defaults; a configuration that was loaded has them all.
void fill_defaults(OptionMap& options, const std::vector<OptionSpec>& specs);

// Typed access after the load filled in defaults; throws ConfigError on a missing key (a programming error).
bool option_bool(const OptionMap& options, const std::string& key);
std::int64_t option_int(const OptionMap& options, const std::string& key);
double option_double(const OptionMap& options, const std::string& key);
std::string option_string(const OptionMap& options, const std::string& key);

}  // namespace longbow
