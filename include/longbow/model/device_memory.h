// The most memory that tensors took: of a GPU what its allocator handed out, on the CPU the process's largest resident size.
#pragma once

#include <string>

namespace longbow {

// device: "cpu", "cuda:0".
void reset_peak_memory(const std::string& device);
double peak_memory_mb(const std::string& device);  // 10^6 bytes, since the process began or the last reset

}  // namespace longbow
