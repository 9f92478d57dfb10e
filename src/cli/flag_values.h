// Defines validators for the values of flags: names of outputs, lists, and values that no flag takes.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "longbow/core/strings.h"

namespace longbow {

// Is for ->transform() of a file that is written. Turns `-` into /dev/stdout.
CLI::Validator output_file();
// Is for ->check() of a folder that is written. Refuses `-`, which elsewhere stands for standard output.
CLI::Validator output_folder();
// Is for ->check(). Marks a flag that takes any text, even empty or like a flag; usage_mistake_in() then leaves it
// alone.
CLI::Validator free_text();

// Checks each item of a list `A,B,..` by `item`. An empty item is refused; CLI11's own lists would silently leave it
// out.
CLI::Validator list_of(const CLI::Validator& item);

// Adds a flag that takes a list, as `A,B,..` or as several words.
template <typename T>
CLI::Option* add_list(CLI::App* verb, const std::string& name, std::vector<T>& target, const std::string& help,
                      const CLI::Validator& item) {
    const auto read = [&target](const std::vector<std::string>& texts) {
        target.clear();
        for (const auto& text : texts) {
            for (const auto& each : split(text, ',')) CLI::detail::lexical_cast(each, target.emplace_back());
        }
    };
    return verb->add_option_function<std::vector<std::string>>(name, read, help)->check(list_of(item));
}

// Says what is wrong with a value that CLI11 has read for the verb, or nothing. No flag or argument takes an empty
// value (`--out "$UNSET"` is a mistake and does not ask for the default) or another flag of the verb (in `--resume
// --run-dir DIR` the value of --resume is missing). Check this before reporting an error of CLI11, which is often only
// a consequence of such a slip.
std::string usage_mistake_in(CLI::App& verb);

}  // namespace longbow
