// What asking for a device leaves alone, and what preparing the process changes. One case, since preparing lasts until
// the process ends.
#include "cli/common.h"

#include <c10/core/CPUAllocator.h>
#include <gtest/gtest.h>

#include "longbow/core/error.h"
#include "longbow/model/device_memory.h"

namespace longbow {
namespace {

TEST(Common, OnlyPrepareProcessChangesTheProcess) {
    auto* const allocator = c10::GetCPUAllocator();
    EXPECT_EQ(resolve_device("cpu"), "cpu");
    EXPECT_THROW(resolve_device("cuda:one"), UsageError);
    EXPECT_THROW(resolve_device("cuda:4096"), UsageError);
    CommonOptions options;
    options.device = "cpu";
    apply_common(options);
    EXPECT_EQ(c10::GetCPUAllocator(), allocator);

    prepare_process("cpu");
    auto* const counting = c10::GetCPUAllocator();
    EXPECT_NE(counting, allocator);
    const auto before = tensor_bytes("cpu").now;
    const auto block = counting->allocate(4096);
    EXPECT_EQ(tensor_bytes("cpu").now - before, 4096);
    prepare_process("cpu");  // a second call counts nothing twice
    EXPECT_EQ(c10::GetCPUAllocator(), counting);
}

}  // namespace
}  // namespace longbow
