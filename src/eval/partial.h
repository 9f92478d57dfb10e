// Keeps the partial results of an interrupted evaluation: its losses so far, in a file until it is resumed.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace longbow {

// Returns the losses stored for `key`, from the first scored target on. Returns none if there is no file, or if it is
// damaged or belongs to another key.
std::vector<float> read_partial(const std::filesystem::path& path, const std::string& key);
void write_partial(const std::filesystem::path& path, const std::string& key, const std::vector<float>& nll,
                   std::size_t count);

}  // namespace longbow
