// Lets a flag name an installed configuration (core/installation.h) where there is no file of that name.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace longbow {

// Is for ->transform() of a configuration's file. Turns a name that only an installed configuration has into its file.
CLI::Validator config_file();

// Does the same for a name that is known when the verb runs, and logs the choice.
std::string chosen_config(const std::string& name);

// Logs what config_file() has chosen. Flags are read before the log is set up.
void log_config_choices();

}  // namespace longbow
