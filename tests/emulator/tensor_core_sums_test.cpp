// Pins the model of tensor cores' sums by sums whose last bit depends on it.
#include "emulator/tensor_core_sums.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

namespace emulator {
namespace {

constexpr float kUnit = 0x1p-23f;  // the last bit of a number from 1 to 2

// Returns start + the products, each given as its place in the depth and its value, a power of two.
float sum_of(float start, const std::vector<std::pair<int, float>>& products, SumModel model) {
    float a[16][16] = {}, b[16][8] = {}, c[16][8] = {};
    for (const auto& [k, product] : products)
        a[3][k] = std::copysign(0x1p-10f, product), b[k][5] = std::fabs(product) * 0x1p10f;
    c[3][5] = start;
    add_products(c, a, b, Factors::bf16, model);
    return c[3][5];
}

TEST(TensorCoreSums, AreTruncatedAndNotRounded) {
    for (const SumModel model : {kAmpereSums, kHopperSums}) {
        EXPECT_EQ(sum_of(1, {{0, 0.5f * kUnit}, {1, 0.25f * kUnit}}, model), 1.0f);
        EXPECT_EQ(sum_of(-1, {{0, -0.5f * kUnit}, {1, -0.25f * kUnit}}, model), -1.0f);
        EXPECT_EQ(sum_of(-1, {{0, -0.5f * kUnit}, {1, -0.5f * kUnit}}, model), -1.0f - kUnit);
    }
}

TEST(TensorCoreSums, KeepExtraBitsUntilAllProductsAreAdded) {
    const std::vector<std::pair<int, float>> quarters = {
        {0, 0.25f * kUnit}, {1, 0.25f * kUnit}, {2, 0.25f * kUnit}, {3, 0.25f * kUnit}};
    EXPECT_EQ(sum_of(1, quarters, kHopperSums), 1 + kUnit);
    EXPECT_EQ(sum_of(1, quarters, kAmpereSums), 1.0f);
    EXPECT_EQ(sum_of(1, {{0, 0.5f * kUnit}, {1, 0.5f * kUnit}}, kAmpereSums), 1 + kUnit);
}

TEST(TensorCoreSums, AreTruncatedAfterEachGroup) {
    const std::vector<std::pair<int, float>> in_both_halves = {{7, 0.5f * kUnit}, {8, 0.5f * kUnit}};
    EXPECT_EQ(sum_of(1, in_both_halves, kHopperSums), 1 + kUnit);
    EXPECT_EQ(sum_of(1, in_both_halves, kAmpereSums), 1.0f);
}

// The sum so far loses bits too if a product is larger.
TEST(TensorCoreSums, ShiftEveryTermToTheLargest) {
    EXPECT_EQ(sum_of(1 + kUnit, {{0, 8.0f}}, kHopperSums), 9.0f);
    EXPECT_EQ(sum_of(1 + kUnit, {{0, 8.0f}, {1, -8.0f}}, kHopperSums), 1.0f);
    EXPECT_EQ(sum_of(1 + kUnit, {{0, 4.0f}, {1, -4.0f}}, kHopperSums), 1 + kUnit);
    EXPECT_EQ(sum_of(0, {{0, 0.0f}}, kAmpereSums), 0.0f);
}

TEST(TensorCoreSums, PassOnWhatIsNotANumber) {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    EXPECT_TRUE(std::isnan(sum_of(std::nanf(""), {{0, 1.0f}}, kAmpereSums)));
    EXPECT_EQ(sum_of(kInfinity, {{0, 1.0f}}, kAmpereSums), kInfinity);
    EXPECT_EQ(sum_of(std::numeric_limits<float>::max(), {{0, 0x1p112f}}, kAmpereSums), kInfinity);
}

}  // namespace
}  // namespace emulator
