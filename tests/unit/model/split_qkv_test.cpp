// Tests that the gradient of the packed projection is used in place if it is already one tensor, and stacked if it is
// not.
#include "model/split_qkv.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace longbow {
namespace {

const std::vector<std::int64_t> kShape = {2, 5, 3, 4, 6};

at::Tensor gradient_of(const torch::autograd::variable_list& given) {
    const auto packed = torch::randn(kShape).requires_grad_(true);
    const auto [q, k, v] = split_qkv(packed);
    return torch::autograd::grad({q, k, v}, {packed}, given)[0];
}

TEST(SplitQkv, PartsAreTheirPlaces) {
    const auto packed = torch::randn(kShape);
    const auto parts = split_qkv(packed);
    for (std::int64_t i = 0; i < 3; ++i) EXPECT_TRUE(parts[static_cast<std::size_t>(i)].equal(packed.select(2, i)));
}

TEST(SplitQkv, PartsOfOneTensorAreNotCopied) {
    const auto whole = torch::randn(kShape);
    const auto gradient = gradient_of(whole.unbind(2));
    EXPECT_EQ(gradient.const_data_ptr(), whole.const_data_ptr());
    EXPECT_TRUE(gradient.equal(whole));
}

TEST(SplitQkv, OtherLayoutsAreStacked) {
    const auto whole = torch::randn(kShape);
    const auto parts = whole.unbind(2);
    const auto apart = gradient_of({parts[0].clone(), parts[1], parts[2].contiguous()});
    EXPECT_TRUE(apart.equal(whole));
    const auto swapped = gradient_of({parts[1], parts[0], parts[2]});
    EXPECT_TRUE(swapped.equal(torch::stack({parts[1], parts[0], parts[2]}, 2)));
}

TEST(SplitQkv, APartWithoutUseHasNoGradient) {
    const auto packed = torch::randn(kShape).requires_grad_(true);
    const auto gradient = torch::autograd::grad({split_qkv(packed)[1].sum()}, {packed})[0];
    EXPECT_TRUE(gradient.select(2, 1).equal(torch::ones({2, 5, 4, 6})));
    EXPECT_EQ(gradient.abs().sum().item<float>(), 2 * 5 * 4 * 6);
}

}  // namespace
}  // namespace longbow
