// Where the program keeps what it can make again.
#pragma once

#include <filesystem>

namespace longbow {

// Returns the cache of this user: LONGBOW_CACHE, else XDG_CACHE_HOME/longbow, else HOME/.cache/longbow, as cache_dir()
// of scripts/common.sh has it. The folder need not exist. The path is empty if none of the variables is set.
std::filesystem::path cache_folder();

}  // namespace longbow
