/* The CUDA runtime behind a plain C interface, because nvcc compiles device_query.cu as C++17 and can include neither
   LibTorch nor our C++20 headers. Functions return 0, or a cudaError_t that longbow_cuda_error() puts into words. They
   leave no error in the runtime, where the next kernel of any library would be blamed for it. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

struct LongbowCudaDevice {
    char name[256];
    int major, minor; /* compute capability */
    int multiprocessors;
    unsigned long long memory; /* bytes */
};

/* Gives versions as CUDA counts them: 13000 is 13.0. A driver version of 0 means that none is installed. */
int longbow_cuda_versions(int* driver, int* runtime);
int longbow_cuda_device_count(int* count);
int longbow_cuda_device(int index, struct LongbowCudaDevice* device);
/* Runs a kernel that writes a few thousand numbers, and checks each on the host. *wrong counts the wrong ones. */
int longbow_cuda_smoke_test(int index, int* wrong);
const char* longbow_cuda_error(int code);
const char* longbow_cuda_error_name(int code);

#ifdef __cplusplus
}
#endif
