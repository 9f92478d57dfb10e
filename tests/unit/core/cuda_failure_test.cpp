// Tests what is said of a failure of the CUDA runtime: its own words always, and a remedy only where the code tells it.
#include "longbow/core/cuda_failure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "longbow/core/machine.h"

// CUDA's runtime, in builds that have it.
extern "C" int cudaPeekAtLastError() __attribute__((weak));
extern "C" int cudaDriverGetVersion(int* version) __attribute__((weak));

namespace longbow {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(CudaFailure, SaysWhatTheRuntimeSays) {
    EXPECT_EQ(cuda_failure(2, "cudaErrorMemoryAllocation", "out of memory"),
              "out of memory (cudaErrorMemoryAllocation)");
}

TEST(CudaFailure, AsksForAnotherGpuOnlyWhereTheGpuIsTheCause) {
    for (const int code : {kCudaNoCodeForDevice, kCudaNoSuchFunction})
        EXPECT_THAT(cuda_failure(code, "name", "text"), HasSubstr("compute capability 8.0 or later"));
    for (const int code : {1, 2, static_cast<int>(kCudaOldDriver), static_cast<int>(kCudaIllegalAddress), 999})
        EXPECT_THAT(cuda_failure(code, "name", "text"), Not(HasSubstr("compute capability")));
}

TEST(CudaFailure, DistinguishesTheDriverAndEarlierKernels) {
    for (const int code : {kCudaOldDriver, kCudaDriverCannotCompile, kCudaOtherDriver})
        EXPECT_THAT(cuda_failure(code, "name", "text"), HasSubstr("install a newer one"));
    for (const int code : {700, 702, 710, 714, 715, 716, 717, 718, 719})
        EXPECT_THAT(cuda_failure(code, "name", "text"), HasSubstr("CUDA_LAUNCH_BLOCKING=1"));
    for (const int code : {701, 711, 720}) EXPECT_THAT(cuda_failure(code, "name", "text"), Not(HasSubstr("BLOCKING")));
}

// An error that is left in the runtime would be blamed on PyTorch's next kernel.
TEST(CudaFailure, OfDoctorLeavesNoErrorInTheRuntime) {
    if (&cudaPeekAtLastError == nullptr) GTEST_SKIP() << "a build without CUDA";
    // Without a driver even asking for the last error is an error, so that there is nothing to forget.
    if (int version = 0; cudaDriverGetVersion(&version) != 0 || version == 0) GTEST_SKIP() << "no driver";
    gpu_report();
    EXPECT_EQ(cudaPeekAtLastError(), 0);
    EXPECT_THAT(gpu_smoke_test(9999), Not(HasSubstr("compute capability")));
    EXPECT_EQ(cudaPeekAtLastError(), 0);
}

}  // namespace
}  // namespace longbow
