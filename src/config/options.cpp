#include "longbow/config/options.h"

#include "longbow/core/error.h"

namespace longbow {

namespace {

template <class T>
const T& option_as(const OptionMap& options, const std::string& key) {
    const auto found = options.find(key);
    if (found == options.end()) throw ConfigError("option " + key + " is read by an object that does not declare it");
    if (!std::holds_alternative<T>(found->second)) {
        throw ConfigError("option " + key + " is declared with another type than it is read with");
    }
    return std::get<T>(found->second);
}

}  // namespace

void fill_defaults(OptionMap& options, const std::vector<OptionSpec>& specs) {
    for (const auto& spec : specs) options.emplace(spec.key, spec.default_value);
}

bool option_bool(const OptionMap& options, const std::string& key) { return option_as<bool>(options, key); }
std::int64_t option_int(const OptionMap& options, const std::string& key) {
    return option_as<std::int64_t>(options, key);
}
double option_double(const OptionMap& options, const std::string& key) { return option_as<double>(options, key); }
std::string option_string(const OptionMap& options, const std::string& key) {
    return option_as<std::string>(options, key);
}

}  // namespace longbow
