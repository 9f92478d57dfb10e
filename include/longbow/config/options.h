// Options that a registered object (a position method, an optimizer, a schedule) declares for itself. They get the same
// checks, help and schema as every other key.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/core/choice.h"

namespace longbow {

// When a key has an effect: the key that decides, in words, and as a test.
struct Condition {
    std::string decider;  // "optim.name"
    std::string need;     // "optim.name: adamw"
    std::function<bool(const Config&)> holds;
};

// Why a registered object cannot serve a configuration, and the keys that this is about: the first one that the user
// has set tells where to look.
struct Objection {
    std::vector<std::string> keys;
    std::string message;
};

struct OptionSpec {
    std::string key{};
    OptionValue default_value{};  // its alternative is the option's type
    std::string help{};
    std::vector<std::string> choices{};          // strings only; empty: any
    std::optional<double> minimum{}, maximum{};  // numbers only
    std::string since{};  // the version that brought the option, when it is newer than 0.2.0; see Field::since()
    std::vector<Condition>
        conditions{};  // when it has an effect, beside its object being the chosen one; all must hold
};

// What a registered object adds to its section.
struct Variant {
    std::string name{};
    std::string help{};
    std::vector<OptionSpec> options{};
    bool slopes = false;               // what attention.skip_threshold needs; see PositionEntry
    std::vector<std::string> reads{};  // shared keys that it reads ("momentum"); see Field::when_read()
    std::string title{};               // what tables and figures call it; empty: its name with a capital
    // Options with which it has no slopes: a test of those that are set, and in words what it needs. Empty: none.
    std::function<bool(const OptionMap&)> slopes_if{};
    std::string slopes_need{};
    bool fades = false;  // which attention.skip_threshold may have instead of slopes
    // Returns why it cannot serve a configuration whose keys are all read. Empty: it serves all.
    std::function<std::optional<Objection>(const Config&)> check{};
};

// Adds the declared defaults of options that are missing. A configuration that was loaded has all options.
void fill_defaults(OptionMap& options, const std::vector<OptionSpec>& specs);

// These return an option of a loaded configuration. They throw ConfigError when it is missing or has another type,
// which is a programming error.
bool option_bool(const OptionMap& options, const std::string& key);
std::int64_t option_int(const OptionMap& options, const std::string& key);
double option_double(const OptionMap& options, const std::string& key);
std::string option_string(const OptionMap& options, const std::string& key);

// An option that is a closed choice (core/choice.h): its names are checked, and what each means is part of the help.
template <IsChoice E>
OptionSpec choice_option(std::string key, E default_value, const std::string& help) {
    return {.key = std::move(key),
            .default_value = std::string(name_of(default_value)),
            .help = help + " (" + choice_help<E>() + ")",
            .choices = choice_names<E>()};
}

template <IsChoice E>
E option_choice(const OptionMap& options, const std::string& key) {
    return choice_named<E>(option_string(options, key)).value();
}

}  // namespace longbow
