// What longbow eval leaves behind beside its rows: the table on the terminal, the NumPy file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longbow/eval/eval_result.h"

namespace longbow {

// Of one run's rows, in at most `width` columns of a terminal, where the least important columns are left out and named; 0: all of them.
std::string eval_table(const std::vector<EvalResult>& rows, int width = 0);

// FILE with {run} (its slashes as dashes) and {length} filled in.
std::string logprobs_path(const std::string& pattern, const std::string& run, std::int64_t length);
// Log-probabilities (-nll) as a one-dimensional little-endian float32 .npy, version 1.0.
void write_logprobs(const std::string& path, const std::vector<float>& nll);

}  // namespace longbow
