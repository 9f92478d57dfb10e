// What this machine is: processor, memory, GPUs. For `longbow --version` and `longbow doctor`; torch-free, so that both answer at once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace longbow {

struct CpuInfo {
    std::string vendor;                 // "AuthenticAMD", "GenuineIntel"; empty where the system does not say
    std::string model;                  // as the system names it
    int cores = 1;                      // cores that this process may run on
    std::vector<std::string> features;  // of those that matter here: AVX2, AVX-512F, AVX-512 BF16, AMX BF16
};
CpuInfo cpu_info();

struct MemoryInfo {
    std::uint64_t total = 0;  // bytes
    std::uint64_t available = 0;
};
MemoryInfo memory_info();

// Tells malloc to keep what is freed: the tensors of a training step are allocated again in the next one, and giving their pages back to the
// system between costs a page fault for each 4 KiB (3 to 7 % of a step on CPU). And asks the kernel for pages of 2 MiB (1 to 3 %). For processes
// that compute.
void keep_freed_memory();

struct GpuInfo {
    std::string name;
    int major = 0;  // compute capability
    int minor = 0;
    std::uint64_t memory = 0;  // bytes
    int multiprocessors = 0;
};

struct GpuReport {
    bool built_with_cuda = false;
    std::string driver;         // newest CUDA that the driver serves, "13.0"; empty without a driver
    std::string runtime;        // CUDA runtime in use; empty in a build without CUDA
    std::vector<GpuInfo> gpus;  // those that this process can use
    std::string problem;        // why there are none; empty when there are
};
GpuReport gpu_report();

// Loads LibTorch's CUDA part (libtorch_cuda.so, which costs a second and is therefore not linked) if the build has CUDA and this machine
// a GPU, once a process. True when tensors may then live on a GPU. Call it before any work with tensors: LibTorch asks only once whether
// it has CUDA. Throws Error when there is a GPU and the library cannot be loaded.
bool load_cuda();

// Runs a small kernel on one GPU and checks its result on the host. Empty when right, else what went wrong and the remedy.
std::string gpu_smoke_test(int index);

}  // namespace longbow
