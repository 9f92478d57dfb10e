// Suggests which token store a wrong path may have been meant to name.
#pragma once

#include <filesystem>
#include <string>

namespace longbow {

// Returns "; did you mean data/mine?", "; the stores there: data/a, data/b" (or "in it"), or an empty text, for the
// end of a message. Looks for the first part of the path that does not exist, and for folders in its place with which
// the path would lead to a store.
std::string store_suggestion(const std::filesystem::path& path);

}  // namespace longbow
