// Makes the text that `--version` prints: name, version and build.
#pragma once

#include <string>

namespace longbow {

std::string version_text();

}  // namespace longbow
