// Writes token log-probabilities as NumPy files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longbow/core/dtype.h"

namespace longbow {

// Returns the file name with {run} (its slashes become dashes) and {length} filled in.
std::string logprobs_path(const std::string& pattern, const std::string& run, std::int64_t length);

// Writes log-probabilities (-nll) as a one-dimensional little-endian .npy, version 1.0: float64 of an fp64 evaluation,
// else float32.
void write_logprobs(const std::string& path, const std::vector<double>& nll, DType dtype);

}  // namespace longbow
