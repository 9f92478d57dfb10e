// Tests the start of a kernel where it fails: the order of calls by a stand-in of the CUDA runtime, and what reaches
// the operator by the emulator.
#include "attention/kernels/cuda/start.h"

#include <gtest/gtest.h>

#include <string>

#include "attention/kernels/attention.h"
#include "emulator/attention_case.h"
#include "emulator/emulator.h"

namespace attention_test {
namespace {

// Remembers errors as the CUDA runtime does.
struct StandIn {
    mutable int remembered = 0;
    int limit_error = 0, launch_error = 0;
    bool destroyed = false;  // a fault has destroyed the context, whose error stays
    mutable int launches = 0;

    int take_error() const {
        const int error = remembered;
        if (!destroyed) remembered = 0;
        return error;
    }
    int raise_shared_limit() const { return remembered = limit_error; }
    void launch() const {
        ++launches;
        if (launch_error != 0) remembered = launch_error;
    }
};

using longbow::device::start_through;

TEST(Start, LeavesNoErrorBehind) {
    StandIn runtime;
    EXPECT_EQ(start_through(runtime, true).error, 0);
    EXPECT_EQ(runtime.launches, 1);
    runtime.launch_error = 209;
    EXPECT_EQ(start_through(runtime, false).error, 209);
    EXPECT_EQ(runtime.remembered, 0);
}

TEST(Start, IsGivenUpWithoutItsSharedMemory) {
    StandIn runtime;
    runtime.limit_error = 1;
    const auto result = start_through(runtime, true);
    EXPECT_EQ(result.error, 1);
    EXPECT_FALSE(result.earlier);
    EXPECT_EQ(runtime.launches, 0);
    EXPECT_EQ(runtime.remembered, 0);
    EXPECT_EQ(start_through(runtime, false).error, 0) << "48 KiB need no other limit";
}

TEST(Start, ReportsTheErrorOfAnEarlierCallAsThat) {
    StandIn runtime;
    runtime.remembered = 2;
    const auto result = start_through(runtime, true);
    EXPECT_EQ(result.error, 2);
    EXPECT_TRUE(result.earlier);
    EXPECT_EQ(runtime.launches, 0);
    EXPECT_EQ(start_through(runtime, true).error, 0) << "it is reported once";
    runtime.remembered = 700, runtime.destroyed = true;
    EXPECT_EQ(start_through(runtime, true).error, 700);
    EXPECT_EQ(start_through(runtime, true).error, 700);
}

TEST(Start, FailureNamesTheKernel) {
    Case test(square(70, 64, LONGBOW_BF16));
    emulator::options() = {};
    emulator::options().start_error = 209;
    EXPECT_EQ(longbow_attention_cuda_forward(&test.call()), LONGBOW_FAILED);
    EXPECT_EQ(longbow_attention_cuda_failure()->error, 209);
    EXPECT_EQ(longbow_attention_cuda_failure()->earlier, 0);
    EXPECT_STREQ(longbow_attention_cuda_failure()->kernel,
                 "longbow::cuda::ForwardKernel<longbow::cuda::Bf16, 64, 4, false>");
    emulator::options() = {};
    test.forward();
    emulator::options().start_error = 719;
    EXPECT_THROW(test.backward(false), std::runtime_error);
    EXPECT_STREQ(longbow_attention_cuda_failure()->kernel, "longbow::cuda::RowTermsKernel<longbow::cuda::Bf16>");
    emulator::options() = {};
}

// The seed is an argument, so each replay of a graph would draw the mask of the capture again.
TEST(Start, DropoutIsNotCaptured) {
    for (const int keep : {256, 200}) {
        Shape shape = square(70, 64, LONGBOW_F16);
        shape.dropout_keep = keep;
        Case test(shape);
        emulator::options() = {};
        test.forward();
        test.backward(false);
        emulator::options().capturing = true;
        const auto expected = keep == 256 ? LONGBOW_OK : LONGBOW_CAPTURED;
        EXPECT_EQ(longbow_attention_cuda_forward(&test.call()), expected);
        EXPECT_EQ(longbow_attention_cuda_backward(&test.call()), expected);
        emulator::options() = {};
    }
}

}  // namespace
}  // namespace attention_test
