// What a path that names no token store may have been meant to name.
#pragma once

#include <filesystem>
#include <string>

namespace longbow {

// "; did you mean data/mine?", "; the stores there: data/a, data/b", or nothing. Looks at the first part of the path that is not there, and at
// the folders in its place that lead to a store.
std::string store_suggestion(const std::filesystem::path& path);

}  // namespace longbow
