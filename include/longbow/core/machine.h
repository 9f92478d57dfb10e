// Describes this machine: processor, memory, GPUs. Except for load_cuda() nothing here needs LibTorch, so that `longbow
// --version` and `longbow doctor` answer at once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace longbow {

struct CpuInfo {
    std::string vendor;                 // "AuthenticAMD", "GenuineIntel"; empty where unknown
    std::string model;                  // as the system names it
    int cores = 1;                      // cores that this process may run on
    std::vector<std::string> features;  // those of AVX2, AVX-512F, AVX-512 BF16, AVX-512 FP16, AMX BF16 that it has
};
CpuInfo cpu_info();

// Returns the number of cores that this process may run on: a container or taskset may leave it fewer than the machine
// has.
int available_cores();

struct MemoryInfo {
    std::uint64_t total = 0;  // bytes, as `available`
    std::uint64_t available = 0;
};
MemoryInfo memory_info();

// Tells malloc to keep freed memory, and asks the kernel for pages of 2 MiB. A training step allocates the same tensors
// as the one before; if their pages went back to the system in between, each 4 KiB would cost a page fault (3 to 7 % of
// a step on CPU). The large pages save 1 to 3 %. Processes that compute call this once at their start.
void keep_freed_memory();

// Tells MKL, which computes matrix products on Intel's processors, to split a sum among threads in one way only.
// Otherwise the last bits of a product may depend on which thread comes first, so that a resumed run would differ from
// an undisturbed one. MKL_CBWR in the environment is left as it is. It has no effect after the first product.
void keep_products_repeatable();

struct GpuInfo {
    std::string name;
    int major = 0;  // compute capability, with `minor`
    int minor = 0;
    std::uint64_t memory = 0;  // bytes
    int multiprocessors = 0;
};

struct GpuReport {
    bool built_with_cuda = false;
    std::string driver;         // newest CUDA version that the driver supports, "13.0"; empty without a driver
    std::string runtime;        // CUDA runtime in use; empty in a build without CUDA
    std::vector<GpuInfo> gpus;  // GPUs that this process can use
    std::string problem;        // why there are no GPUs; empty when there are some
};
GpuReport gpu_report();

// Loads LibTorch's CUDA library (libtorch_cuda.so) once a process, if the build has CUDA and the machine a GPU, and
// returns whether tensors may live on a GPU. The library is not linked because loading it takes a second. Call this
// before any work with tensors, since LibTorch looks for CUDA only once. Throws Error when there is a GPU and the
// library cannot be loaded.
bool load_cuda();

// Runs a small kernel on one GPU and checks its result on the host. Returns an empty text on success, otherwise what
// went wrong and the remedy.
std::string gpu_smoke_test(int index);

}  // namespace longbow
