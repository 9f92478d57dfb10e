// Kernels are function objects: `kernel()` is one thread's work; K::kThreads is the block's size, K::kBlocks how many blocks a
// multiprocessor should hold at least (0: no matter), K::kSharedBytes the shared memory. The same host code starts them on a GPU and in the
// emulator.
#pragma once

#include <cstddef>

#include "../params.h"
#include "device.h"

namespace longbow::cuda {

// What a block may have on the smallest of the architectures served (8.6, 8.9, 12.0).
constexpr int kMostSharedBytes = 99 * 1024;

struct Grid {
    int x, y, z;
};

#if defined(__CUDACC__)

template <class K>
__global__ void __launch_bounds__(K::kThreads, K::kBlocks) run(const __grid_constant__ K kernel) {
    kernel();
}

template <class K>
longbow_status launch(const K& kernel, Grid grid, void* stream) {
    if (grid.x == 0 || grid.y == 0 || grid.z == 0) return LONGBOW_OK;
    constexpr int kShared = K::kSharedBytes;
    static_assert(kShared <= kMostSharedBytes);
    if (kShared > 48 * 1024 && cudaFuncSetAttribute(run<K>, cudaFuncAttributeMaxDynamicSharedMemorySize, kShared) != cudaSuccess) {
        return LONGBOW_FAILED;
    }
    const dim3 blocks(static_cast<unsigned>(grid.x), static_cast<unsigned>(grid.y), static_cast<unsigned>(grid.z));
    run<K><<<blocks, K::kThreads, kShared, static_cast<cudaStream_t>(stream)>>>(kernel);
    return cudaGetLastError() == cudaSuccess ? LONGBOW_OK : LONGBOW_FAILED;
}

#else

template <class K>
longbow_status launch(const K& kernel, Grid grid, void*) {
    emulator::launch(grid.x, grid.y, grid.z, K::kThreads, K::kSharedBytes, [&kernel] { kernel(); });
    return LONGBOW_OK;
}

#endif

}  // namespace longbow::cuda
