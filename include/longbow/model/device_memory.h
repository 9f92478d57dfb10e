// Counts the bytes of tensors on a device, now and at the peak. On a GPU these are the bytes that LibTorch's caching
// allocator has handed out; on the CPU, those of its CPU allocator, counted by a wrapper of ours. Neither includes
// anything that is not a tensor: the program itself, memory-mapped data, buffers inside libraries (oneDNN, MKL, NCCL,
// the CUDA context).
#pragma once

#include <cstdint>
#include <string>

namespace longbow {

// Counts the CPU's tensors from now on. Call it once in a process, before other threads make tensors; a second call
// does nothing.
void count_cpu_memory();

struct TensorBytes {
    std::int64_t now = 0;
    std::int64_t peak = 0;  // since the process began (CPU: since count_cpu_memory()) or the last reset
};

// `device` is "cpu", "cuda:0" and so on.
TensorBytes tensor_bytes(const std::string& device);
void reset_peak_memory(const std::string& device);
double peak_memory_mb(const std::string& device);  // tensor_bytes().peak in 10^6 bytes

}  // namespace longbow
