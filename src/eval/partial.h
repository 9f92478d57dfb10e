// The losses of an evaluation that was interrupted, kept until it is taken up again.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace longbow {

// The losses stored for `key`, from the first scored target on; empty when there are none, or when the file belongs to another key or is
// damaged.
std::vector<float> read_partial(const std::filesystem::path& path, const std::string& key);
void write_partial(const std::filesystem::path& path, const std::string& key, const std::vector<float>& nll, std::size_t count);

}  // namespace longbow
