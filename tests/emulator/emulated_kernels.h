// Lists every kernel that was compiled for the emulator by the name of its type, so that a program that knows only the
// name can start it (tests/device).
#pragma once

#include <cstddef>
#include <typeinfo>
#include <vector>

namespace emulator {

struct EmulatedKernel {
    const char* type;   // typeid(K).name()
    std::size_t bytes;  // sizeof(K)
    int threads, shared_bytes;
    void (*start)(const void* kernel, int blocks_x, int blocks_y, int blocks_z);
};

inline std::vector<EmulatedKernel>& emulated_kernels() {
    static std::vector<EmulatedKernel> list;
    return list;
}

template <class K, void (*start)(const K&, int, int, int)>
struct Listed {
    static inline const bool done = [] {
        emulated_kernels().push_back({typeid(K).name(), sizeof(K), K::kThreads, K::kSharedBytes,
                                      [](const void* kernel, int blocks_x, int blocks_y, int blocks_z) {
                                          start(*static_cast<const K*>(kernel), blocks_x, blocks_y, blocks_z);
                                      }});
        return true;
    }();
};

}  // namespace emulator
