// Tests what the operator says if a kernel cannot be started: by a stand-in of a device, and by the CUDA library itself
// where there is no GPU.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <array>

#include "attention/kernels/attention.h"
#include "attention/ops/call.h"
#include "attention/ops/device.h"
#include "longbow/core/machine.h"

#pragma weak longbow_attention_cuda_forward
#pragma weak longbow_attention_cuda_failure

namespace longbow {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using testing::StrEq;

longbow_status next_status = LONGBOW_OK;

std::int64_t no_bytes(const longbow_attention* /*call*/) { return 0; }
longbow_status fail(const longbow_attention* /*call*/) { return next_status; }
longbow_status fail_table(const longbow_attention* /*call*/, float /*threshold*/, std::int32_t* /*first*/,
                          float* /*longest*/) {
    return next_status;
}

const AttentionDevice kBroken{
    .name = "test",
    .failure = [] { return std::string("SomeKernel could not be started: out of memory"); },
    .narrows = false,
    .adds_sink_logit = false,
    .skips_by_table = false,
    .boundary = &boundary_of,
    .readable = &with_dense_rows,
    .rows = &rows_of_tensor,
    .forward_workspace = &no_bytes,
    .backward_workspace = &no_bytes,
    .skip_table_workspace = &no_bytes,
    .forward = &fail,
    .backward = &fail,
    .skip_table = &fail_table,
};

std::string message(longbow_status status) {
    next_status = status;
    FusedAttentionCall call;
    call.q = call.k = call.v = torch::zeros({1, 2, 20, 8});
    call.dropout = 0.5;
    try {
        forward_on(kBroken, with_scale(call));
    } catch (const c10::Error& error) {
        return error.what_without_backtrace();
    }
    return {};
}

TEST(LaunchFailure, IsToldWithItsReason) {
    EXPECT_EQ(message(LONGBOW_OK), "");
    EXPECT_THAT(message(LONGBOW_FAILED), AllOf(HasSubstr("on cpu: SomeKernel could not be started: out of memory"),
                                               Not(HasSubstr("compute capability"))));
    EXPECT_THAT(message(LONGBOW_UNSUPPORTED), HasSubstr("no test kernel for q [1, 2, 20, 8]"));
    EXPECT_THAT(message(LONGBOW_CAPTURED), AllOf(HasSubstr("dropout"), HasSubstr("CUDA graph"), HasSubstr("mask")));
}

// Without a driver each call of the runtime fails, also the first one, which asks for an earlier error.
TEST(LaunchFailure, OfTheCudaLibraryKeepsTheRuntimesWords) {
    if (longbow_attention_cuda_forward == nullptr) GTEST_SKIP() << "a build without CUDA";
    if (!gpu_report().gpus.empty()) GTEST_SKIP() << "this machine has a GPU";
    alignas(16) std::array<float, 8 * 64> memory{};
    longbow_attention call{};
    call.batch = call.heads = 1;
    call.query_length = call.key_length = 64;
    call.head_dim = 8;
    call.causal = 1;
    call.scale = 1;
    call.dropout_keep = 256;
    call.q = call.k = call.v = call.out = {memory.data(), 0, 0, 8};
    call.lse = memory.data();
    EXPECT_EQ(longbow_attention_cuda_forward(&call), LONGBOW_FAILED);
    const longbow_failure& failure = *longbow_attention_cuda_failure();
    EXPECT_THAT(failure.name, AnyOf(StrEq("cudaErrorNoDevice"), StrEq("cudaErrorInsufficientDriver")));
    EXPECT_THAT(failure.kernel, StartsWith("longbow::cuda::ForwardKernel<float, 64, 4"));
}

}  // namespace
}  // namespace longbow
