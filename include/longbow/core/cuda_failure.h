// Puts a failure of the CUDA runtime into words: what the runtime says and, where its code tells, what to do. It is all
// in this header, because the operators are also a library of their own that links no other part of Longbow.
#pragma once

#include <string>

namespace longbow {

// Some values of cudaError_t. core/cuda/device_query.cu compares them with CUDA's header.
enum CudaErrorCode {
    kCudaOldDriver = 35,
    kCudaNoSuchFunction = 98,
    kCudaNoCodeForDevice = 209,
    kCudaDriverCannotCompile = 222,
    kCudaIllegalAddress = 700,
    kCudaTimeout = 702,
    kCudaAssert = 710,
    kCudaHardwareStack = 714,
    kCudaLaunchFailure = 719,
    kCudaOtherDriver = 803,
};

// The start of a kernel reports these when a kernel that is running already has failed.
inline bool is_cuda_fault(int code) {
    return code == kCudaIllegalAddress || code == kCudaTimeout || code == kCudaAssert ||
           (code >= kCudaHardwareStack && code <= kCudaLaunchFailure);
}

// `name` and `text` are the runtime's own for this code.
inline std::string cuda_failure(int code, const char* name, const char* text) {
    std::string words = std::string(text) + " (" + name + ")";
    if (code == kCudaNoCodeForDevice || code == kCudaNoSuchFunction) {
        words += "; Longbow's kernels need a GPU of compute capability 8.0 or later";
    } else if (code == kCudaOldDriver || code == kCudaDriverCannotCompile || code == kCudaOtherDriver) {
        words += "; the NVIDIA driver does not serve this version of CUDA: install a newer one";
    } else if (is_cuda_fault(code)) {
        words += "; a kernel that was started earlier has failed: CUDA_LAUNCH_BLOCKING=1 shows which";
    }
    return words;
}

}  // namespace longbow
