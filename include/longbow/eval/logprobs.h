// Writes token log-probabilities as NumPy files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace longbow {

// Returns the file name with {run} (its slashes become dashes) and {length} filled in.
std::string logprobs_path(const std::string& pattern, const std::string& run, std::int64_t length);

// Writes log-probabilities (-nll) as a one-dimensional little-endian float32 .npy, version 1.0.
void write_logprobs(const std::string& path, const std::vector<float>& nll);

}  // namespace longbow
