// Reads the sources of settings (YAML text, files that include others, overrides), each as a list of assignments in
// order of precedence: later ones win. Names and types are checked elsewhere (load.cpp).
#pragma once

#include <string>
#include <vector>

#include "value.h"

namespace longbow {

// Reads a file. Files named by its `include:` (a file or a list, relative to the including file) come before its own
// keys, depth first. A file that includes itself is an error that shows the chain. Each file's own keys form a layer;
// layers are counted from 0.
std::vector<Assignment> read_config_file(const std::string& path);

// Reads YAML without `include:`. `name` stands for the file in messages. `own` says that longbow wrote it.
std::vector<Assignment> read_config_text(const std::string& yaml, const std::string& name, bool own = false);

// Reads "section.key=value". A list is written [a, b] or a,b; an empty value or null withdraws what a file has set.
Assignment read_override(const std::string& text);

}  // namespace longbow
