// Reads the cases of the goldens of rotary positions (rotary_*.json): a file has head sizes and bases by case, and in
// each a scaling by label.
#pragma once

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "longbow/core/choice.h"
#include "longbow/core/json.h"
#include "longbow/core/strings.h"
#include "longbow/position/position_method.h"
#include "position/rotary_scaling.h"

namespace longbow::test {

// A case of a rotary golden as options of the method, and the length of its windows.
struct RotaryCase {
    OptionMap options;
    std::int64_t length;
};

inline std::string list_text(const Json& numbers) {
    std::vector<std::string> parts;
    for (const auto& number : numbers) parts.push_back(number_text(number.get<double>()));
    return join(parts, ", ");
}

inline RotaryCase rotary_case(const std::string& name, const Json& shared, const Json& own) {
    const auto train_length = shared["train_length"].get<std::int64_t>();
    const auto dim = shared["head_dim"].get<double>();
    RotaryCase c{{{"base", shared["base"].get<double>()}}, own.value("length", train_length)};
    const auto take = [&](const char* key) {
        if (own.contains(key)) c.options[key] = own[key].get<double>();
    };
    const std::string scaling = name.substr(name.find('_') + 1);
    if (scaling == "ntk") {  // a larger base, which needs no scaling of its own
        c.options["base"] = shared["base"].get<double>() * std::pow(own["alpha"].get<double>(), dim / (dim - 2));
    } else if (scaling == "p_rope") {
        c.options["share"] = own["share"].get<double>();
    } else if (scaling == "partial") {
        c.options["dim"] = own["rotated_dims"].get<std::int64_t>();
    } else {
        c.options["scaling"] = scaling == "dynamic_ntk" ? std::string("dynamic") : scaling;
        for (const char* key : {"factor", "low_freq_factor", "high_freq_factor", "beta_fast", "beta_slow"}) take(key);
        if (own.contains("truncate")) c.options["truncate"] = own["truncate"].get<bool>();
        if (scaling == "longrope") {  // each label has the list of its own windows
            for (const std::string label : {"short", "long"})
                c.options[label + "_factors"] = list_text(shared[label]["rescale"]);
            if (own["rule"] == Json("evaluated length > train_length")) c.length = train_length + 1;
        }
    }
    return c;
}

// Returns the same as settings of rotary_frequencies().
inline RotarySettings rotary_settings(const OptionMap& options, const Json& shared) {
    const auto number = [&](const char* key, double fallback) {
        return options.count(key) > 0 ? std::get<double>(options.at(key)) : fallback;
    };
    RotarySettings s;
    s.base = number("base", 0);
    s.dim =
        options.count("dim") > 0 ? std::get<std::int64_t>(options.at("dim")) : shared["head_dim"].get<std::int64_t>();
    if (options.count("scaling") > 0)
        s.scaling = choice_named<RotaryScaling>(std::get<std::string>(options.at("scaling"))).value();
    s.factor = number("factor", 1);
    s.original_length = shared["train_length"];
    s.low_freq_factor = number("low_freq_factor", 1);
    s.high_freq_factor = number("high_freq_factor", 4);
    s.beta_fast = number("beta_fast", 32);
    s.beta_slow = number("beta_slow", 1);
    s.share = number("share", 1);
    if (s.scaling == RotaryScaling::longrope) {
        s.short_factors = shared["short"]["rescale"].get<std::vector<double>>();
        s.long_factors = shared["long"]["rescale"].get<std::vector<double>>();
    }
    if (options.count("truncate") > 0) s.truncate = std::get<bool>(options.at("truncate"));
    return s;
}

}  // namespace longbow::test
