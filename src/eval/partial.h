// Keeps the partial results of an interrupted evaluation: its losses so far, in a file until it is resumed.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "longbow/core/dtype.h"

namespace longbow {

// Returns the losses stored for `key`, from the first scored target on. Returns none if there is no file, or if it is
// damaged or belongs to another key. The file has fp64 numbers if the evaluation's `dtype` is that, else fp32 ones.
std::vector<double> read_partial(const std::filesystem::path& path, const std::string& key, DType dtype);
void write_partial(const std::filesystem::path& path, const std::string& key, const std::vector<double>& nll,
                   std::size_t count, DType dtype);

}  // namespace longbow
