// Where settings come from: YAML text, files that include others, and overrides, each as a list of assignments in the order in which
// they count (later ones win). Names and types are not looked at here.
#pragma once

#include <string>
#include <vector>

#include "value.h"

namespace longbow {

// `include:` (a file or a list, relative to the including file) comes before the file's own keys, depth first. A file that includes
// itself is an error that shows the chain. Each file's own keys are a layer, counted from 0.
std::vector<Assignment> read_config_file(const std::string& path);

// YAML without `include:`. `name` stands for the file in messages. `own`: longbow wrote it.
std::vector<Assignment> read_config_text(const std::string& yaml, const std::string& name, bool own = false);

// "section.key=value". A list is written [a, b] or a,b; an empty value or null takes back what a file has set.
Assignment read_override(const std::string& text);

}  // namespace longbow
