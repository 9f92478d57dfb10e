// What `--version` prints: the name, the version and the build.
#pragma once

#include <string>

namespace longbow {

std::string version_text();

}  // namespace longbow
