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

// Turns "auto", "cpu", "cuda" or "cuda:N" into "cpu" or "cuda:N"; auto takes the first GPU if there is one. Throws
// UsageError that says what is missing (a build without CUDA, no GPU found, a number beyond the last GPU). Changes
// nothing in this process.
std::string resolve_device(const std::string& text);

// Sets this process up to compute on `device`, as resolve_device() names it, until it ends:
// - malloc keeps what is freed and asks for large pages (keep_freed_memory());
// - MKL's products have the same bits in each run (keep_products_repeatable());
// - each tensor on the CPU is counted, for the bytes that rows and metrics report (count_cpu_memory());
// - for a GPU, LibTorch's CUDA part is loaded (load_cuda()).
// A verb that computes calls it once, before it makes tensors or threads. Throws Error when the CUDA part cannot be
// loaded.
void prepare_process(const std::string& device);

}  // namespace longbow
