// Implements device_query.h: which GPUs there are, and whether code that was compiled for them runs.
#include "device_query.h"

#include <cuda_runtime.h>

#include <cstring>
#include <vector>

#include "longbow/core/cuda_failure.h"

static_assert(longbow::kCudaOldDriver == cudaErrorInsufficientDriver &&
                  longbow::kCudaNoSuchFunction == cudaErrorInvalidDeviceFunction &&
                  longbow::kCudaNoCodeForDevice == cudaErrorNoKernelImageForDevice &&
                  longbow::kCudaDriverCannotCompile == cudaErrorUnsupportedPtxVersion &&
                  longbow::kCudaIllegalAddress == cudaErrorIllegalAddress &&
                  longbow::kCudaTimeout == cudaErrorLaunchTimeout && longbow::kCudaAssert == cudaErrorAssert &&
                  longbow::kCudaHardwareStack == cudaErrorHardwareStackError &&
                  longbow::kCudaLaunchFailure == cudaErrorLaunchFailure &&
                  longbow::kCudaOtherDriver == cudaErrorSystemDriverMismatch,
              "the codes are CUDA's");

namespace {

constexpr int kNumbers = 4099;  // no multiple of kThreads, so that the last block is partly full
constexpr int kThreads = 128;

// Gives each index a value that a wrong index or an unwritten element would hardly produce by chance.
__host__ __device__ unsigned mixed(unsigned i) { return (i * 2654435761u) ^ (i >> 3); }

__global__ void mix(unsigned* out, int count) {
    const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    if (i < count) out[i] = mixed(static_cast<unsigned>(i));
}

// Returns the error and makes the runtime forget it.
int taken(cudaError_t error) {
    if (error != cudaSuccess) cudaGetLastError();
    return error;
}

int run_smoke_test(unsigned* device_numbers, int* wrong) {
    mix<<<(kNumbers + kThreads - 1) / kThreads, kThreads>>>(device_numbers, kNumbers);
    if (const cudaError_t error = cudaGetLastError()) return error;
    std::vector<unsigned> numbers(kNumbers);
    if (const int error =
            taken(cudaMemcpy(numbers.data(), device_numbers, kNumbers * sizeof(unsigned), cudaMemcpyDeviceToHost)))
        return error;
    *wrong = 0;
    for (int i = 0; i < kNumbers; ++i)
        *wrong += numbers[static_cast<std::size_t>(i)] != mixed(static_cast<unsigned>(i));
    return cudaSuccess;
}

}  // namespace

int longbow_cuda_versions(int* driver, int* runtime) {
    if (const int error = taken(cudaDriverGetVersion(driver))) return error;
    return taken(cudaRuntimeGetVersion(runtime));
}

int longbow_cuda_device_count(int* count) {
    *count = 0;
    return taken(cudaGetDeviceCount(count));
}

int longbow_cuda_device(int index, LongbowCudaDevice* device) {
    cudaDeviceProp properties;
    if (const int error = taken(cudaGetDeviceProperties(&properties, index))) return error;
    std::memset(device, 0, sizeof *device);
    std::memcpy(device->name, properties.name, sizeof device->name - 1);
    device->major = properties.major;
    device->minor = properties.minor;
    device->multiprocessors = properties.multiProcessorCount;
    device->memory = properties.totalGlobalMem;
    return cudaSuccess;
}

int longbow_cuda_smoke_test(int index, int* wrong) {
    int before = 0;
    if (const int error = taken(cudaGetDevice(&before))) return error;
    if (const int error = taken(cudaSetDevice(index))) return error;
    unsigned* numbers = nullptr;
    int result = taken(cudaMalloc(&numbers, kNumbers * sizeof(unsigned)));
    if (result == cudaSuccess) {
        result = run_smoke_test(numbers, wrong);
        taken(cudaFree(numbers));
    }
    taken(cudaSetDevice(before));
    return result;
}

const char* longbow_cuda_error(int code) { return cudaGetErrorString(static_cast<cudaError_t>(code)); }

const char* longbow_cuda_error_name(int code) { return cudaGetErrorName(static_cast<cudaError_t>(code)); }
