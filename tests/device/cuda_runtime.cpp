// Stands in for the functions of the CUDA runtime that tell about devices and allocate memory. The library of this file
// is preloaded, so that Longbow and libc10_cuda.so find these before the runtime's own. What is not here stays the
// runtime's, which answers that there is no driver.
#include <cuda_runtime_api.h>

#include <cstdlib>
#include <cstring>

#include "device_memory.h"
#include "devices.h"
#include "waits.h"

namespace pretend {

namespace {
constexpr int kVersion = CUDART_VERSION;
}

int device_count() {
    static const int count = [] {
        const char* const text = std::getenv("LONGBOW_PRETEND_DEVICES");
        return text != nullptr ? std::atoi(text) : 1;
    }();
    return count;
}

int& current_device() {
    thread_local int device = 0;
    return device;
}

}  // namespace pretend

extern "C" {

cudaError_t cudaDriverGetVersion(int* version) {
    *version = pretend::kVersion;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
    *version = pretend::kVersion;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count) {
    *count = pretend::device_count();
    return cudaSuccess;
}

cudaError_t cudaGetDevice(int* device) {
    *device = pretend::current_device();
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
    if (device < 0 || device >= pretend::device_count()) return cudaErrorInvalidDevice;
    pretend::current_device() = device;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
    if (device < 0 || device >= pretend::device_count()) return cudaErrorInvalidDevice;
    std::memset(properties, 0, sizeof *properties);
    std::strcpy(properties->name, "pretend device");
    properties->major = 9;
    properties->multiProcessorCount = 1;
    properties->totalGlobalMem = pretend::DeviceMemory::kBytes;
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total) {
    *total = pretend::DeviceMemory::kBytes;
    *free_bytes = *total - static_cast<size_t>(pretend::DeviceMemory::instance().use().now);
    return cudaSuccess;
}

cudaError_t cudaGetLastError() { return cudaSuccess; }

cudaError_t cudaStreamIsCapturing(cudaStream_t /*stream*/, cudaStreamCaptureStatus* status) {
    *status = cudaStreamCaptureStatusNone;
    return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() {
    pretend::waited("cudaDeviceSynchronize");
    return cudaSuccess;
}

}  // extern "C"
