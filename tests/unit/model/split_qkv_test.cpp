// Tests that the gradient of the packed projection is used in place if it is already one tensor, and joined if it is
// not.
#include "model/split_qkv.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace longbow {
namespace {

const std::vector<std::int64_t> kShape = {2, 5, 12, 6};

// Returns the three parts as plain views; kv_heads of 4 means as many as q has.
std::vector<at::Tensor> parts_of(const at::Tensor& packed, std::int64_t kv_heads) {
    return packed.split_with_sizes({12 - 2 * kv_heads, kv_heads, kv_heads}, 2);
}

at::Tensor gradient_of(const torch::autograd::variable_list& given, std::int64_t kv_heads) {
    const auto packed = torch::randn(kShape).requires_grad_(true);
    const auto [q, k, v] = split_qkv(packed, kv_heads);
    return torch::autograd::grad({q, k, v}, {packed}, given)[0];
}

class SplitQkv : public testing::TestWithParam<std::int64_t> {};

TEST_P(SplitQkv, PartsAreTheirPlaces) {
    const auto packed = torch::randn(kShape);
    const auto parts = split_qkv(packed, GetParam());
    const auto expected = parts_of(packed, GetParam());
    for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(parts[i].equal(expected[i]));
}

TEST_P(SplitQkv, PartsOfOneTensorAreNotCopied) {
    const auto whole = torch::randn(kShape);
    const auto gradient = gradient_of(parts_of(whole, GetParam()), GetParam());
    EXPECT_EQ(gradient.const_data_ptr(), whole.const_data_ptr());
    EXPECT_TRUE(gradient.equal(whole));
}

TEST_P(SplitQkv, OtherLayoutsAreJoined) {
    const auto whole = torch::randn(kShape);
    const auto parts = parts_of(whole, GetParam());
    EXPECT_TRUE(gradient_of({parts[0].clone(), parts[1], parts[2].contiguous()}, GetParam()).equal(whole));
    EXPECT_TRUE(
        gradient_of({parts[0], parts[2], parts[1]}, GetParam()).equal(torch::cat({parts[0], parts[2], parts[1]}, 2)));
}

TEST_P(SplitQkv, APartWithoutUseHasNoGradient) {
    const auto packed = torch::randn(kShape).requires_grad_(true);
    const auto gradient = torch::autograd::grad({split_qkv(packed, GetParam())[1].sum()}, {packed})[0];
    const auto parts = parts_of(gradient, GetParam());
    EXPECT_TRUE(parts[1].equal(torch::ones_like(parts[1])));
    EXPECT_EQ(gradient.abs().sum().item<float>(), static_cast<float>(2 * 5 * 6 * GetParam()));
}

INSTANTIATE_TEST_SUITE_P(HeadsOfKeys, SplitQkv, testing::Values(4, 1, 3));

}  // namespace
}  // namespace longbow
