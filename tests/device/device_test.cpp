// Tests the pretend device itself: what it refuses, what it lets through, and what counts as a wait.
#include <ATen/ATen.h>
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/cuda.h>

#include <functional>
#include <string>
#include <vector>

#include "device/fault.h"
#include "device/waits.h"

namespace {

using testing::ExitedWithCode;
using testing::HasSubstr;

const auto kGpu = at::TensorOptions().device(at::kCUDA);
const auto kPinned = at::TensorOptions().pinned_memory(true);

class Device : public testing::Test {
protected:
    static void SetUpTestSuite() {
        ASSERT_NE(dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL), nullptr) << dlerror();
        at::globalContext().lazyInitDevice(at::kCUDA);
    }
};

std::string refusal(const std::function<void()>& work) {
    try {
        work();
    } catch (const std::exception& error) {
        return error.what();
    }
    return {};
}

void wait_for_device() { at::zeros({}, kGpu).item<float>(); }

TEST_F(Device, ComputesLikeTheCpu) {
    EXPECT_TRUE(at::hasCUDA());
    EXPECT_EQ(at::ones({3, 4}, kGpu).add(2.0).sum().item<double>(), 36.0);
    EXPECT_EQ(at::ones({3}, kGpu).mul(at::scalar_tensor(2.0)).sum().item<double>(), 6.0) << "numbers may be on the CPU";
    auto x = at::randn({8, 4}, kGpu).requires_grad_();
    x.matmul(x.t()).relu().sum().backward();
    EXPECT_TRUE(x.grad().is_cuda());
    const auto host = x.detach().cpu().requires_grad_();
    host.matmul(host.t()).relu().sum().backward();
    EXPECT_TRUE(x.grad().cpu().equal(host.grad()));
}

TEST_F(Device, HasAddressesThatNoIntAndItsPaddingLookLike) {
    const auto first = at::empty({1}, kGpu), large = at::empty({std::int64_t{1} << 28}, kGpu);
    for (const auto& t : {first, large, large.slice(0, -1)}) {
        const auto lower_half = reinterpret_cast<std::uintptr_t>(t.data_ptr()) & 0xFFFFFFFFu;
        EXPECT_GE(lower_half, std::uintptr_t{1} << 30);
        EXPECT_LT(lower_half, std::uintptr_t{3} << 30);
    }
}

TEST_F(Device, HasMemoryOfItsOwn) {
    EXPECT_TRUE(at::empty({2}, kGpu).isnan().all().item<bool>()) << "fresh memory is NaN";
    const auto t = at::ones({4}, kGpu);
    const auto view = t.view({2, 2}).select(0, 1);
    view.fill_(5.0);
    EXPECT_EQ(t.sum().item<double>(), 12.0) << "a view shares the memory";
    EXPECT_TRUE(at::empty({2}, kPinned).is_pinned());
    EXPECT_FALSE(at::empty({2}).is_pinned());
}

TEST_F(Device, DrawsItsOwnNumbers) {
    at::manual_seed(5);
    const auto host = at::rand({2});
    const auto device = at::rand({2}, kGpu).cpu();
    at::manual_seed(5);
    EXPECT_TRUE(at::rand({2}, kGpu).cpu().equal(device));
    EXPECT_TRUE(at::rand({2}).equal(host));
}

TEST_F(Device, RefusesOperandsOnTwoDevices) {
    const auto a = at::ones({3, 4}, kGpu), host = at::ones({3, 4});
    EXPECT_THAT(refusal([&] { a.add(host); }), HasSubstr("device"));
    EXPECT_THAT(refusal([&] { at::cat({a, host}); }), HasSubstr("operands on the CPU"));
    EXPECT_THAT(refusal([&] { a.index_select(0, at::zeros({1}, at::kLong)); }), HasSubstr("operands on the CPU"));
    EXPECT_THAT(refusal([&] { at::mm(a, host.t()); }), HasSubstr("device"));
}

TEST_F(Device, TheHostMayNotTouchItsMemory) {
    const auto t = at::ones({4}, kGpu);
    EXPECT_EXIT(std::printf("%f", *t.const_data_ptr<float>()), ExitedWithCode(pretend::kFaultStatus),
                "the host touches device memory");
    EXPECT_EXIT(*t.mutable_data_ptr<float>() = 1.0F, ExitedWithCode(pretend::kFaultStatus),
                "the host touches device memory");
}

TEST_F(Device, TheSourceOfACopyMayNotChangeBeforeTheNextWait) {
    const auto change_and_wait = [](bool wait_first) {
        auto source = at::ones({4}, kPinned);
        const auto copy = source.to(at::kCUDA, /*non_blocking=*/true);
        if (wait_first) wait_for_device();
        source.fill_(2.0);
        wait_for_device();
    };
    EXPECT_EXIT(change_and_wait(false), ExitedWithCode(pretend::kFaultStatus), "changed before the next wait");
    change_and_wait(true);
}

TEST_F(Device, TheSourceOfACopyMayNotBeGivenAwayBeforeTheNextWait) {
    const auto copy_and_release = [](bool wait_first) {
        auto source = at::ones({8}, kPinned);
        // LibTorch finds pinned memory by its beginning, so it does not know that this copy uses the tensor's memory.
        const auto copy = at::from_blob(source.mutable_data_ptr<float>() + 4, {4}).to(at::kCUDA, /*non_blocking=*/true);
        if (wait_first) wait_for_device();
        source.reset();
        return copy.sum().item<double>();
    };
    EXPECT_EXIT(copy_and_release(false), ExitedWithCode(pretend::kFaultStatus), "given away before");
    EXPECT_EQ(copy_and_release(true), 4.0);
    // It keeps what it knows.
    const auto kept = at::ones({4}, kPinned).to(at::kCUDA, /*non_blocking=*/true);
    EXPECT_EQ(kept.sum().item<double>(), 4.0);
}

TEST_F(Device, ACopyToTheHostIsThereAfterTheNextWait) {
    const auto host = at::ones({4}, kGpu).to(at::kCPU, /*non_blocking=*/true);
    EXPECT_TRUE(host.isnan().all().item<bool>());
    wait_for_device();
    EXPECT_TRUE(host.equal(at::ones({4})));
    const auto narrow = at::ones({4}, kGpu).to(at::kCPU, at::kBFloat16, /*non_blocking=*/true);
    EXPECT_TRUE(narrow.isnan().all().item<bool>()) << "the device converts";
    wait_for_device();
    EXPECT_TRUE(narrow.equal(at::ones({4}, at::kBFloat16)));
    auto pageable = at::zeros({4});
    pageable.copy_(at::ones({4}, kGpu), /*non_blocking=*/true);
    EXPECT_TRUE(pageable.equal(at::ones({4}))) << "a copy to pageable memory waits";
}

TEST_F(Device, CountsWaits) {
    const auto t = at::arange(6, kGpu.dtype(at::kFloat));
    const auto mask = t.gt(2.0);
    const auto host = at::ones({6}), pinned = at::ones({6}, kPinned);
    const auto places = at::zeros({2}, at::kLong);
    struct Case {
        const char* name;
        long waits;
        std::function<void()> work;
    };
    const std::vector<Case> cases{
        {"arithmetic", 0, [&] { t.add(1.0).exp().sum(); }},
        {"a choice by a mask", 0, [&] { at::where(mask, t, t.neg()).masked_fill_(mask, 0.0); }},
        {"one value at a mask", 0, [&] { t.clone().index_put_({mask}, at::scalar_tensor(1.0)); }},
        {"places on the device", 0, [&] { t.index({places.to(at::kLong).pin_memory().to(at::kCUDA, true)}); }},
        {"sorting", 0, [&] { t.argsort(); }},
        {"a number", 1, [&] { t.sum().item<float>(); }},
        {"a truth", 1, [&] { mask.all().item<bool>(); }},
        {"comparing", 1, [&] { t.equal(t); }},
        {"nonzero", 1, [&] { t.nonzero(); }},
        {"masked_select", 1, [&] { t.masked_select(mask); }},
        {"a masked index", 1, [&] { t.index({mask}); }},
        {"values at places on the CPU", 1, [&] { t.clone().index_put_({places}, at::ones({2}, kGpu)); }},
        {"values at a mask", 1, [&] { t.clone().index_put_({mask}, at::ones({3}, kGpu)); }},
        {"places on the CPU", 1, [&] { t.index({places}); }},
        {"unique", 1, [&] { at::_unique2(t); }},
        {"bincount", 1, [&] { t.to(at::kLong).bincount(); }},
        {"a copy to the host", 1, [&] { t.cpu(); }},
        {"into pinned memory", 1, [&] { at::empty({6}, kPinned).copy_(t); }},
        {"in the background", 0, [&] { t.to(at::kCPU, /*non_blocking=*/true); }},
        {"to pageable memory", 1, [&] { at::empty({6}).copy_(t, /*non_blocking=*/true); }},
        {"a copy to the device", 1, [&] { host.to(at::kCUDA); }},
        {"a pinned one", 1, [&] { pinned.to(at::kCUDA); }},
        {"a pinned one in the background", 0, [&] { pinned.to(at::kCUDA, /*non_blocking=*/true); }},
        {"a pageable one in the background", 1, [&] { host.to(at::kCUDA, /*non_blocking=*/true); }},
        {"a pinned one with gaps", 1, [&] { pinned.slice(0, 0, 6, 2).to(at::kCUDA, /*non_blocking=*/true); }},
        {"a converted one", 0, [&] { pinned.to(at::kCUDA, at::kDouble, /*non_blocking=*/true); }},
        {"a synchronize", 1, [&] { torch::cuda::synchronize(); }},
    };
    for (const auto& c : cases) {
        const auto before = pretend::wait_count();
        c.work();
        EXPECT_EQ(pretend::wait_count() - before, c.waits) << c.name;
    }
}

}  // namespace
