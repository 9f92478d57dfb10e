// Reads JSON files of other programs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "longbow/core/json.h"

namespace longbow {

// Returns the file's object. Throws CheckpointError that names the file when it is missing, longer than `limit` bytes,
// no JSON object, nested deeper than any such file is, or has a key twice: then readers differ in what it says.
Json read_foreign_json(const std::filesystem::path& path, std::uintmax_t limit);
Json parse_foreign_json(const std::string& text, const std::string& name);

}  // namespace longbow
