// Names the machine operations in which the attention kernels are written, and the only ones that they use: threads,
// barriers, shared memory by address, asynchronous copies, ldmatrix, mma.sync, and the start of a kernel. device_gpu.h
// implements them in PTX. A build for another device defines LONGBOW_DEVICE_HEADER as the name of a header with the
// same functions; the emulator of the tests does, to run the kernels where there is no GPU.
#pragma once

#include <cstdint>

namespace longbow::device {

using SharedAddress = std::uint32_t;  // in bytes from the start of shared memory

// Faults that tests plant in the kernels to show that they are noticed. Code for a GPU never has them.
enum class PlantedFault {
    none,
    read_pitch,
    causal_bound,
    key_bound,
    window_bound,
    tf32_remainder,
    sink_bound,
    sink_gap,
    low_terms,
    kept_sums
};

}  // namespace longbow::device

#if defined(LONGBOW_DEVICE_HEADER)
#include LONGBOW_DEVICE_HEADER
#else
#include "device_gpu.h"
#endif
