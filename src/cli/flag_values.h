// What flags take as their values: names of outputs, lists, and what no flag takes.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "longbow/core/strings.h"

namespace longbow {

// For ->transform(), of a file that is written: `-` becomes /dev/stdout.
CLI::Validator output_file();
// For ->check(), of a folder that is written: `-`, which others take as standard output, is refused.
CLI::Validator output_folder();
// For ->check(): any text is meant, an empty one or one that looks like a flag too.
CLI::Validator free_text();

// Each item of a list `A,B,..` passes `item`. An empty item is refused: CLI11's own lists would leave it out in silence.
CLI::Validator list_of(const CLI::Validator& item);

// A flag that takes a list, as `A,B,..` or as several words.
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

// What is wrong with a value that the verb was given, as CLI11 has read it: no flag or argument takes an empty one (`--out "$UNSET"` is a mistake,
// and no wish for the default) or another flag of the verb (`--resume --run-dir DIR` lacks the value of --resume). Empty where nothing is.
// To be asked first: what CLI11 says is often of what such a slip leads to.
std::string slip_in(CLI::App& verb);

}  // namespace longbow
