// Defines the flags that every verb has, and their effects.
#pragma once

#include <string>

namespace longbow {

struct CommonOptions {
    std::string device = "auto";  // as given; resolve_device() resolves it
    bool threads_given = false;   // whether --threads was given
    int threads = 0;              // 0: as many as this process may use; apply_common() fills in the number
    std::string log_level = "info";
    bool quiet = false;
};

// Sets up the log and LibTorch's threads and fills in `threads`. Refuses a device that does not exist before any work
// is done.
void apply_common(CommonOptions& options);

// Resolves "auto" | "cpu" | "cuda" | "cuda:N" to "cpu" or "cuda:N". "auto" takes the first GPU if there is one. Throws
// UsageError that says what is missing (a build without CUDA, no GPU found, a number past the last GPU).
std::string resolve_device(const std::string& text);

}  // namespace longbow
