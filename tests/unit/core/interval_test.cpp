// Tests confidence intervals and p-values against the textbook's formula, and when there are none.
#include "longbow/core/interval.h"

#include <gtest/gtest.h>

#include <cmath>

#include "longbow/core/error.h"

namespace longbow {
namespace {

TEST(Interval, BlocksHold1024ValuesAndTheRest) {
    std::vector<double> values(2500, 0.5);
    values[1024] = 2.0;
    EXPECT_EQ(block_sums(values), (std::vector<double>{512.0, 513.5, 226.0}));
    EXPECT_EQ(block_counts(2500), (std::vector<double>{1024, 1024, 452}));
    EXPECT_EQ(block_counts(2048).size(), 2U);
}

TEST(Interval, EqualBlocksGiveTheTextbookIntervalWidened) {
    // Means 1 .. 10: the mean is 5.5, the variance 55/6, and t for 9 degrees of freedom 2.262157162798205.
    std::vector<double> sums;
    for (int i = 1; i <= 10; ++i) sums.push_back(4.0 * i);
    const auto estimate = mean_estimate({sums}, std::vector<double>(10, 4.0));
    EXPECT_DOUBLE_EQ(estimate.mean, 5.5);
    EXPECT_EQ(estimate.blocks, 10);
    EXPECT_EQ(estimate.seeds, 1);
    const double half = (1 + 2.0 / 10) * 2.262157162798205 * std::sqrt(55.0 / 6 / 10);
    EXPECT_NEAR(estimate.interval->low, 5.5 - half, 1e-12);
    EXPECT_NEAR(estimate.interval->high, 5.5 + half, 1e-12);
    EXPECT_TRUE(estimate.excludes_zero());
    // From SciPy: 2 * scipy.stats.t.sf(5.5 / sqrt(55 / 60) / 1.2, 9)
    EXPECT_NEAR(*p_value({sums}, std::vector<double>(10, 4.0)), 0.0009913493057397084, 1e-14);
}

TEST(Interval, FewerBlocksThanTheLeastGiveNone) {
    const std::vector<double> nine(9, 1.0);
    auto sums = nine;
    sums[0] = 5;
    EXPECT_FALSE(mean_estimate({sums}, nine).interval);
    EXPECT_FALSE(mean_estimate({sums}, nine).excludes_zero());
    EXPECT_FALSE(p_value({sums}, nine));
    EXPECT_DOUBLE_EQ(mean_estimate({sums}, nine).mean, 13.0 / 9);
    EXPECT_FALSE(mean_estimate({{3.0}}, {1.0}).interval);
}

TEST(Interval, WhatIsNotFiniteGivesNone) {
    const std::vector<double> ones(12, 1.0);
    for (const double bad : {NAN, INFINITY, -INFINITY}) {
        auto sums = ones;
        sums[3] = bad;
        EXPECT_FALSE(mean_estimate({sums}, ones).interval);
        EXPECT_FALSE(p_value({sums}, ones));
        EXPECT_FALSE(mean_estimate({ones, sums}, ones).interval);
    }
}

TEST(Interval, NoDifferenceAtAllIsNone) {
    const std::vector<double> ones(12, 1.0), zeros(12, 0.0);
    const auto none = mean_estimate({zeros}, ones);
    EXPECT_EQ(none.interval->low, 0);
    EXPECT_FALSE(none.excludes_zero());
    EXPECT_EQ(*p_value({zeros}, ones), 1);
}

TEST(Interval, ValuesOfSeedsHaveStudentsInterval) {
    const auto interval = interval_of_values(std::vector<double>{1, 2, 3});  // t.test(1:3) in R
    EXPECT_NEAR(interval->low, -0.48413771, 1e-7);
    EXPECT_NEAR(interval->high, 4.48413771, 1e-7);
    EXPECT_FALSE(interval_of_values(std::vector<double>{1}));
    EXPECT_FALSE(interval_of_values(std::vector<double>{1, INFINITY}));
}

TEST(Interval, HolmAdjustsForTheNumberOfTests) {
    // p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") in R
    const std::vector<double> expected{0.03, 0.06, 0.06, 0.02};
    const auto adjusted = holm_adjusted({0.01, 0.04, 0.03, 0.005});
    for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_DOUBLE_EQ(adjusted[i], expected[i]);
    EXPECT_EQ(holm_adjusted({0.6, 0.7}), (std::vector<double>{1, 1}));
    EXPECT_TRUE(holm_adjusted({}).empty());
    EXPECT_THROW(holm_adjusted({NAN}), Error);
}

TEST(Interval, SizesMustAgree) {
    EXPECT_THROW(mean_estimate({}, {}), Error);
    EXPECT_THROW(mean_estimate({{1.0, 2.0}}, {1.0}), Error);
    EXPECT_THROW(mean_estimate({{1.0}}, {-1.0}), Error);
}

// The values were computed in Python from the formula; its limits at 0 are z^2 / (n + z^2).
TEST(Interval, OfAShare) {
    const auto some = wilson_interval(8, 10);
    EXPECT_NEAR(some.low, 0.4901624715, 1e-9);
    EXPECT_NEAR(some.high, 0.9433178485, 1e-9);
    const auto none = wilson_interval(0, 10), all = wilson_interval(10, 10);
    EXPECT_EQ(none.low, 0);
    EXPECT_NEAR(none.high, 0.2775327999, 1e-9);
    EXPECT_NEAR(all.low, 0.7224672001, 1e-9);
    EXPECT_EQ(all.high, 1);
    EXPECT_THROW(wilson_interval(1, 0), Error);
    EXPECT_THROW(wilson_interval(3, 2), Error);
}

}  // namespace
}  // namespace longbow
