// Starts kernels. A kernel is a function object: calling it does one thread's work. K::kThreads is the number of
// threads of a block, K::kBlocks how many blocks a multiprocessor should hold at least (0: any number), K::kSharedBytes
// the shared memory of a block.
#pragma once

#include "../params.h"
#include "device.h"

namespace longbow::cuda {

// The most shared memory that a block may have on the architectures with the least (8.6, 8.9, 12.0).
constexpr int kMostSharedBytes = 99 * 1024;

struct Grid {
    int x, y, z;
};

// Whether the kernels with a loop for tiles without masks serve a call: training and most of evaluation do not use more.
inline bool is_plain(const longbow_attention& call) {
    return call.causal != 0 && call.window == 0 && call.table == nullptr && call.dropout_keep == 256;
}

// Starts a kernel. A grid without blocks succeeds at once.
template <class K>
longbow_status launch(const K& kernel, Grid grid, void* stream) {
    static_assert(K::kSharedBytes <= kMostSharedBytes);
    if (grid.x == 0 || grid.y == 0 || grid.z == 0) return LONGBOW_OK;
    return device::start(kernel, grid.x, grid.y, grid.z, stream) ? LONGBOW_OK : LONGBOW_FAILED;
}

}  // namespace longbow::cuda
