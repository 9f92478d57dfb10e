// The machine operations that the attention kernels are written in, and all that they may use: threads, barriers, shared memory by
// address, asynchronous copies, ldmatrix, mma.sync, and the start of a kernel. device_gpu.h makes them PTX. A build for another device
// defines LONGBOW_DEVICE_HEADER as the name of a header with the same functions: the tests' emulator runs the kernels where there is no GPU.
#pragma once

#include <cstdint>

namespace longbow::device {

using SharedAddress = std::uint32_t;  // bytes, in the window of shared memory

// Faults that tests plant in the kernels, to show that they would be noticed. Never there in code for a GPU.
enum class Tamper { none, read_pitch, causal_bound, key_bound, window_bound };

}  // namespace longbow::device

#if defined(LONGBOW_DEVICE_HEADER)
#include LONGBOW_DEVICE_HEADER
#else
#include "device_gpu.h"
#endif
