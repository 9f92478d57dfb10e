// Puts a failure of the CUDA runtime into words: what the runtime says and, where its code tells, what to do. It is all
// in this header, because the operators are also a library of their own that links no other part of Longbow.
#pragma once

#include <string>

namespace longbow {

// Some values of cudaError_t. core/cuda/device_query.cu compares them with CUDA's header.
inline constexpr int kCudaOldDriver = 35;
inline constexpr int kCudaNoSuchFunction = 98;
inline constexpr int kCudaNoCodeForDevice = 209;
inline constexpr int kCudaDriverCannotCompile = 222;
inline constexpr int kCudaIllegalAddress = 700;
inline constexpr int kCudaTimeout = 702;
inline constexpr int kCudaAssert = 710;
inline constexpr int kCudaHardwareStack = 714;
inline constexpr int kCudaLaunchFailure = 719;
inline constexpr int kCudaOtherDriver = 803;

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
