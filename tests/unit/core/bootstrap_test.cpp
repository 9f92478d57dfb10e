#include "longbow/core/bootstrap.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "longbow/core/error.h"
#include "longbow/core/random.h"

namespace longbow {
namespace {

TEST(Bootstrap, BlocksHold1024ValuesAndTheRest) {
    std::vector<float> values(2500, 0.5F);
    values[1024] = 2.0F;
    EXPECT_EQ(block_sums(values), (std::vector<double>{512.0, 513.5, 226.0}));
    EXPECT_EQ(block_counts(2500), (std::vector<double>{1024, 1024, 452}));
    EXPECT_EQ(block_counts(2048).size(), 2U);
}

TEST(Bootstrap, OneBlockHasNoSpread) {
    for (const double mean : resampled_means({300.0}, {100.0})) EXPECT_DOUBLE_EQ(mean, 3.0);
}

TEST(Bootstrap, IntervalsAreQuantilesBetweenOrderStatistics) {
    std::vector<double> values(1001);
    std::iota(values.rbegin(), values.rend(), 0.0);
    const auto interval = interval_of(values);
    EXPECT_DOUBLE_EQ(interval.low, 25.0);
    EXPECT_DOUBLE_EQ(interval.high, 975.0);
    const auto two = interval_of({1.0, 3.0});
    EXPECT_DOUBLE_EQ(two.low, 1.05);
    EXPECT_DOUBLE_EQ(two.high, 2.95);
}

TEST(Bootstrap, SpreadIsThatOfTheMeanOfBlocks) {
    // 400 blocks of variance 1/12: the mean's standard deviation is 0.01443, and the resamples' comes near it.
    Random random(7);
    std::vector<double> sums(400);
    for (auto& sum : sums) sum = random.uniform() * 1024;
    const auto means = resampled_means(sums, std::vector<double>(400, 1024.0));
    ASSERT_EQ(means.size(), 1000U);
    const double centre = std::accumulate(means.begin(), means.end(), 0.0) / 1000;
    double variance = 0;
    for (const double mean : means) variance += (mean - centre) * (mean - centre) / 999;
    EXPECT_NEAR(std::sqrt(variance), 0.01443, 0.0015);
    EXPECT_NEAR(centre, std::accumulate(sums.begin(), sums.end(), 0.0) / 400 / 1024, 0.002);
}

TEST(Bootstrap, EqualSeedsPairTheirDraws) {
    const std::vector<double> a{10, 20, 70, 15};
    std::vector<double> b = a;
    for (auto& sum : b) sum *= 1.5;
    const std::vector<double> weights{10, 10, 10, 10};
    const auto from_a = resampled_means(a, weights);
    const auto from_b = resampled_means(b, weights);
    for (std::size_t i = 0; i < from_a.size(); ++i) EXPECT_NEAR(from_b[i] / from_a[i], 1.5, 1e-12);
    EXPECT_NE(from_a, resampled_means(a, weights, 2));
    EXPECT_THROW(resampled_means({}, {}), Error);
    EXPECT_THROW(resampled_means({1.0}, {1.0, 2.0}), Error);
}

}  // namespace
}  // namespace longbow
