// The bytes of tensors on a device, now and at the most: of a GPU what LibTorch's caching allocator has handed out, on the CPU what its
// allocator has, counted by a wrapper of ours. Neither holds what is not a tensor: the program itself, memory-mapped data, buffers inside
// libraries (oneDNN, MKL, NCCL, the CUDA context).
#pragma once

#include <cstdint>
#include <string>

namespace longbow {

// From now on the CPU's tensors are counted. Once a process, before other threads make tensors; a second call does nothing.
void count_cpu_memory();

struct TensorBytes {
    std::int64_t now = 0;
    std::int64_t peak = 0;  // since the process began (CPU: since count_cpu_memory()) or the last reset
};

// device: "cpu", "cuda:0".
TensorBytes tensor_bytes(const std::string& device);
void reset_peak_memory(const std::string& device);
double peak_memory_mb(const std::string& device);  // tensor_bytes().peak in 10^6 bytes

}  // namespace longbow
