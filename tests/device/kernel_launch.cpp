// Runs Longbow's own kernels on the emulator. The program registers each kernel with the CUDA runtime by the address of
// its host function and by its name; a launch gives that address, the grid and the arguments. The name leads to the
// same kernel compiled for the emulator, so that all of the program's code up to the launch is executed as it is.
#include <cuda_runtime_api.h>
#include <cxxabi.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "device_memory.h"
#include "emulator/emulated_kernels.h"
#include "emulator/emulator.h"
#include "fault.h"
#include "waits.h"

namespace pretend {

namespace {

std::string demangled(const char* name) {
    int status = 0;
    char* const text = abi::__cxa_demangle(name, nullptr, nullptr, &status);
    std::string result = text != nullptr ? text : name;
    std::free(text);
    return result;
}

struct Kernels {
    std::mutex mutex;
    std::map<const void*, std::string> names;                      // of the program's, by host function
    std::map<const void*, const emulator::EmulatedKernel*> found;  // by host function
};
Kernels& kernels() {
    static auto* const instance = new Kernels;  // the program registers its kernels before main
    return *instance;
}

// The program's kernels are `void longbow::device::run<K>(K)`, one for each type K of function object.
const emulator::EmulatedKernel& emulated(const void* function) {
    auto& known = kernels();
    const std::lock_guard lock(known.mutex);
    auto& found = known.found[function];
    if (found != nullptr) return *found;
    const auto& name = known.names[function];
    for (const auto& candidate : emulator::emulated_kernels()) {
        const auto type = demangled(candidate.type);
        if (name.find("run<" + type + ">(") != std::string::npos ||
            name.find("run<" + type + " >(") != std::string::npos)
            found = &candidate;
    }
    if (found == nullptr) fail("the kernel " + name + " is not emulated");
    return *found;
}

// The kernel reads its arguments on the host, where device memory has another address.
std::vector<char> with_twins(const void* argument, std::size_t bytes) {
    std::vector<char> copy(bytes);
    std::memcpy(copy.data(), argument, bytes);
    const auto& memory = DeviceMemory::instance();
    for (std::size_t at = 0; at + sizeof(void*) <= bytes; at += sizeof(void*)) {
        void* word = nullptr;
        std::memcpy(&word, copy.data() + at, sizeof word);
        if (!memory.holds(word)) continue;
        word = memory.twin(word);
        std::memcpy(copy.data() + at, &word, sizeof word);
    }
    return copy;
}

cudaError_t launch(const void* function, dim3 grid, dim3 block, void** arguments, std::size_t shared_bytes) {
    const auto& kernel = emulated(function);
    if (static_cast<int>(block.x) != kernel.threads || static_cast<int>(shared_bytes) != kernel.shared_bytes)
        fail("a kernel is started with another block than it is made for");
    const auto argument = with_twins(arguments[0], kernel.bytes);
    ran(kernels().names[function]);
    static std::mutex one_at_a_time;  // the emulator runs one launch at a time
    const std::lock_guard lock(one_at_a_time);
    try {
        kernel.start(argument.data(), static_cast<int>(grid.x), static_cast<int>(grid.y), static_cast<int>(grid.z));
    } catch (const emulator::Fault& fault) {
        fail(std::string("a kernel: ") + fault.what());
    }
    return cudaSuccess;
}

}  // namespace

}  // namespace pretend

extern "C" {

void __cudaRegisterFunction(void** /*binary*/, const char* host_function, char* /*device_function*/, const char* name,
                            int /*thread_limit*/, uint3* /*thread*/, uint3* /*block*/, dim3* /*block_size*/,
                            dim3* /*grid_size*/, int* /*warp_size*/) {
    auto& known = pretend::kernels();
    const std::lock_guard lock(known.mutex);
    known.names[host_function] = pretend::demangled(name);
}

cudaError_t __cudaGetKernel(cudaKernel_t* kernel, const void* function) {
    *kernel = static_cast<cudaKernel_t>(const_cast<void*>(function));
    return cudaSuccess;
}

cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments, size_t shared_bytes,
                               cudaStream_t /*stream*/) {
    return pretend::launch(kernel, grid, block, arguments, shared_bytes);
}

cudaError_t cudaFuncSetAttribute(const void* /*function*/, cudaFuncAttribute /*attribute*/, int /*value*/) {
    return cudaSuccess;
}

}  // extern "C"
