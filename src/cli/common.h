// The flags that every verb has, and what they do.
#pragma once

#include <string>

namespace longbow {

struct CommonOptions {
    std::string device = "auto";  // as given; resolve_device() says which it is
    bool threads_given = false;   // by --threads
    int threads = 0;              // 0: as many as the machine lets this process use; apply_common() fills in the number
    std::string log_level = "info";
    bool quiet = false;
};

// Sets up the log and LibTorch's threads, and refuses a device that is not there before any work is done. Fills in `threads`.
void apply_common(CommonOptions& options);

// "auto" | "cpu" | "cuda" | "cuda:N" -> "cpu" or "cuda:N". auto takes the first GPU when there is one. Throws UsageError that says what
// is missing (a build without CUDA, no GPU seen, a number past the last GPU).
std::string resolve_device(const std::string& text);

}  // namespace longbow
