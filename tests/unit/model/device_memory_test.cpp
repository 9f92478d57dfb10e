// Tests the counter of the bytes that the CPU's tensors take.
#include "longbow/model/device_memory.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <thread>
#include <vector>

namespace longbow {
namespace {

TEST(DeviceMemory, CountsTensorsToTheByte) {
    count_cpu_memory();
    count_cpu_memory();  // a second call changes nothing
    const auto before = tensor_bytes("cpu").now;
    {
        const auto a = torch::empty({1000}, torch::kFloat);
        EXPECT_EQ(tensor_bytes("cpu").now - before, 4000);
        const auto view = a.slice(0, 10);
        EXPECT_EQ(tensor_bytes("cpu").now - before, 4000);
        auto b = torch::empty({7}, torch::kByte);
        EXPECT_EQ(tensor_bytes("cpu").now - before, 4007);
        b.resize_({70});
        EXPECT_EQ(tensor_bytes("cpu").now - before, 4070);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(a.data_ptr()) % 64, 0U);
        EXPECT_EQ(torch::empty({0}).nbytes(), 0U);
    }
    EXPECT_EQ(tensor_bytes("cpu").now, before);
}

TEST(DeviceMemory, ThePeakIsTheMostAtOnce) {
    count_cpu_memory();
    const auto before = tensor_bytes("cpu").now;
    reset_peak_memory("cpu");
    torch::empty({5000}, torch::kByte);
    {
        const auto a = torch::empty({3000}, torch::kByte);
        const auto b = torch::empty({3000}, torch::kByte);
    }
    EXPECT_EQ(tensor_bytes("cpu").peak - before, 6000);
    EXPECT_DOUBLE_EQ(peak_memory_mb("cpu"), static_cast<double>(before + 6000) / 1e6);
    reset_peak_memory("cpu");
    EXPECT_EQ(tensor_bytes("cpu").peak, before);
}

TEST(DeviceMemory, ThreadsAreCountedTogether) {
    count_cpu_memory();
    const auto before = tensor_bytes("cpu").now;
    at::Tensor kept;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&, i] {
            for (int n = 0; n < 1000; ++n) torch::empty({100 + n}, torch::kByte);
            if (i == 0) kept = torch::empty({123}, torch::kByte);
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(tensor_bytes("cpu").now - before, 123);
}

}  // namespace
}  // namespace longbow
