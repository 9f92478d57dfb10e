// Kernels are function objects: `kernel()` is one thread's work; K::kThreads is the block's size, K::kBlocks how many blocks a
// multiprocessor should hold at least (0: no matter), K::kSharedBytes the shared memory.
#pragma once

#include "../params.h"
#include "device.h"

namespace longbow::cuda {

// What a block may have on the smallest of the architectures served (8.6, 8.9, 12.0).
constexpr int kMostSharedBytes = 99 * 1024;

struct Grid {
    int x, y, z;
};

// A grid without a block is done when it is started.
template <class K>
longbow_status launch(const K& kernel, Grid grid, void* stream) {
    static_assert(K::kSharedBytes <= kMostSharedBytes);
    if (grid.x == 0 || grid.y == 0 || grid.z == 0) return LONGBOW_OK;
    return device::start(kernel, grid.x, grid.y, grid.z, stream) ? LONGBOW_OK : LONGBOW_FAILED;
}

}  // namespace longbow::cuda
