// Starts kernels. A kernel is a function object: calling it does one thread's work. K::kThreads is the number of
// threads of a block, K::kBlocks how many blocks a multiprocessor should hold at least (0: any number), K::kSharedBytes
// the shared memory of a block.
#pragma once

#include <cxxabi.h>

#include <cstdio>
#include <cstdlib>
#include <typeinfo>

#include "../attention.h"
#include "device.h"

namespace longbow::cuda {

// The most shared memory that a block may have on the architectures with the least (8.6, 8.9, 12.0).
constexpr int kMostSharedBytes = 99 * 1024;

struct Grid {
    int x, y, z;
};

// Returns the call with kv_group and kv_factor, which every kernel that reads k or v needs.
inline longbow_attention with_kv_group(longbow_attention call) {
    const std::int64_t group = call.kv_heads > 0 ? call.heads / call.kv_heads : 1;
    call.kv_group = static_cast<std::int32_t>(group);
    call.kv_factor = group > 1 ? static_cast<std::uint32_t>(((std::int64_t{1} << 32) + group - 1) / group) : 0;
    return call;
}

// The last failure of this thread, which longbow_attention_cuda_failure() gives to the operator.
inline longbow_failure& last_failure() {
    static thread_local longbow_failure failure{};
    return failure;
}

template <class K>
void remember_failure(const device::StartResult& result) {
    longbow_failure& failure = last_failure();
    failure.error = result.error;
    failure.earlier = result.earlier ? 1 : 0;
    failure.name = device::error_name(result.error);
    failure.text = device::error_text(result.error);
    char* const kernel = abi::__cxa_demangle(typeid(K).name(), nullptr, nullptr, nullptr);
    std::snprintf(failure.kernel, sizeof failure.kernel, "%s", kernel != nullptr ? kernel : typeid(K).name());
    std::free(kernel);
}

// Starts a kernel. A grid without blocks succeeds at once.
template <class K>
longbow_status launch(const K& kernel, Grid grid, void* stream) {
    static_assert(K::kSharedBytes <= kMostSharedBytes);
    if (grid.x == 0 || grid.y == 0 || grid.z == 0) return LONGBOW_OK;
    const device::StartResult result = device::start(kernel, grid.x, grid.y, grid.z, stream);
    if (result.error == 0) return LONGBOW_OK;
    remember_failure<K>(result);
    return LONGBOW_FAILED;
}

}  // namespace longbow::cuda
