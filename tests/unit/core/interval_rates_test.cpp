// Tests how often the interval finds a difference where there is none: in at most 6 % of 20,000 seeded trials per case,
// from the least number of blocks on. The demo's own differences are in tests/golden/intervals (made by its make.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <numbers>

#include "longbow/core/interval.h"
#include "longbow/core/json.h"
#include "longbow/core/random.h"

namespace longbow {
namespace {

constexpr int kTrials = 20000;
constexpr double kMost = 0.06;

// Draws from a pool of values that were drawn from the distribution once: twenty thousand trials per case need
// millions.
struct Draw {
    std::vector<double> pool;
    double operator()(Random& random) const { return pool[random.below(pool.size())]; }
};
using Sums = std::vector<std::vector<double>>;

double normal(Random& random) {
    return std::sqrt(-2 * std::log(1 - random.uniform())) * std::cos(2 * std::numbers::pi * random.uniform());
}

double student_3(Random& random) {
    double square = 0;
    for (int i = 0; i < 3; ++i) square += std::pow(normal(random), 2);
    return normal(random) / std::sqrt(square / 3);
}

Draw drawn_from(double (*distribution)(Random&)) {
    Random random(11);
    Draw draw;
    for (int i = 0; i < 1 << 16; ++i) draw.pool.push_back(distribution(random));
    return draw;
}

std::vector<double> weights_of(std::size_t blocks, double last) {
    std::vector<double> weights(blocks, static_cast<double>(kIntervalBlock));
    weights.back() = last;
    return weights;
}

// Returns the share of trials whose interval excludes 0.
double winners(std::uint64_t seed, const std::vector<double>& weights, const std::function<Sums(Random&)>& trial) {
    Random random(seed);
    int found = 0;
    for (int i = 0; i < kTrials; ++i) found += mean_estimate(trial(random), weights).excludes_zero();
    return static_cast<double>(found) / kTrials;
}

// Returns a block's sum for the deviation of its mean. A short block's deviation is as large as that of a whole block
// if targets depend on each other strongly, and larger by the square root of the sizes' ratio if they are independent.
double sum_of(double deviation, double weight, bool independent) {
    return deviation * weight * (independent ? std::sqrt(kIntervalBlock / std::max(weight, 1.0)) : 1.0);
}

void check_one_seed(const char* what, const Draw& draw, std::uint64_t seed) {
    for (const std::size_t blocks : {10U, 11U, 13U, 24U}) {
        for (const double last : {1024.0, 300.0, 1.0}) {
            const bool independent = (blocks + static_cast<std::size_t>(last)) % 2 == 0;
            const auto weights = weights_of(blocks, last);
            const auto rate = winners(seed_of(seed, blocks, last), weights, [&](Random& random) {
                Sums sums(1);
                for (const double weight : weights) sums[0].push_back(sum_of(draw(random), weight, independent));
                return sums;
            });
            EXPECT_LE(rate, kMost) << what << ", " << blocks << " blocks, the last of " << last;
            EXPECT_GE(rate, 0.005) << what << ", " << blocks << " blocks: the interval is far too wide";
        }
    }
}

// The spread of the seeds (of the mean over all blocks), of the blocks, and of each seed's own blocks.
struct Parts {
    double seeds, blocks, own;
};

void check_seeds(const char* what, const Draw& draw, std::size_t seeds, std::uint64_t seed) {
    const auto bell = drawn_from(normal);
    const auto root = [&](std::size_t blocks) {
        return std::sqrt(static_cast<double>(blocks) / static_cast<double>(seeds));
    };
    for (const std::size_t blocks : {10U, 30U}) {
        for (const double last : {1024.0, 100.0}) {
            const double b = root(blocks);  // chosen so that both factors spread the mean alike
            const std::vector<Parts> cases{{0, 1, 0}, {1, 0, 0},   {0, 0, 1},       {0, 1, 1},
                                           {1, 0, 1}, {1, b, 0.5}, {1, b / 2, 0.5}, {1, 3 * b, 0.5}};
            for (std::size_t which = 0; which < cases.size(); ++which) {
                const auto weights = weights_of(blocks, last);
                const auto& parts = cases[which];
                const auto rate = winners(seed_of(seed, blocks, last, which), weights, [&](Random& random) {
                    std::vector<double> shared;
                    for (std::size_t i = 0; i < blocks; ++i) shared.push_back(parts.blocks * draw(random));
                    Sums sums(seeds);
                    for (auto& series : sums) {
                        const double own = parts.seeds * bell(random);
                        for (std::size_t i = 0; i < blocks; ++i)
                            series.push_back(weights[i] * (own + shared[i] + parts.own * draw(random)));
                    }
                    return sums;
                });
                EXPECT_LE(rate, kMost) << what << ", " << seeds << " seeds, " << blocks << " blocks, the last of "
                                       << last << ", case " << which;
            }
        }
    }
}

// Returns the mean difference of two of the demo's models in each block.
std::vector<double> demo_differences(const std::string& a, const std::string& b, const std::string& length) {
    std::ifstream file(LONGBOW_TEST_DATA "/golden/intervals/demo_blocks.json");
    const auto json = Json::parse(file);
    const auto left = json.at("block_nll").at(a).at(length).get<std::vector<double>>();
    const auto right = json.at("block_nll").at(b).at(length).get<std::vector<double>>();
    const auto weights = block_counts(json.at("tokens").get<std::int64_t>());
    std::vector<double> differences;
    for (std::size_t i = 0; i < weights.size(); ++i) differences.push_back((right.at(i) - left.at(i)) / weights[i]);
    return differences;
}

Draw with_random_signs(const std::vector<double>& differences) {
    Draw draw;
    for (const double difference : differences) draw.pool.insert(draw.pool.end(), {difference, -difference});
    return draw;
}

TEST(IntervalRates, NormalDifferences) {
    check_one_seed("normal", drawn_from(normal), 1);
    for (const std::size_t seeds : {2U, 3U}) check_seeds("normal", drawn_from(normal), seeds, 2);
}

TEST(IntervalRates, HeavyTails) {
    check_one_seed("t(3)", drawn_from(student_3), 3);
    check_seeds("t(3)", drawn_from(student_3), 3, 4);
}

TEST(IntervalRates, TheDemosOwnDifferencesWithRandomSigns) {
    const std::vector<std::pair<const char*, const char*>> others{
        {"rotary/seed-1", "64"}, {"sinusoidal/seed-1", "64"}, {"sinusoidal/seed-1", "1024"}};
    for (const auto& [other, length] : others) {
        const auto draw = with_random_signs(demo_differences("alibi/seed-1", other, length));
        check_one_seed(other, draw, 5);
        check_seeds(other, draw, 3, 6);
    }
}

TEST(IntervalRates, DifferencesOfOneSize) { check_one_seed("signs alone", {{-1, 1}}, 7); }

// An interval that never excludes 0 would pass the rates above, so a real difference must be found.
TEST(IntervalRates, ADifferenceIsFound) {
    for (const std::size_t seeds : {1U, 3U}) {
        const auto weights = weights_of(20, 100);
        const auto rate = winners(8, weights, [&](Random& random) {
            Sums sums(seeds);
            for (auto& series : sums) {
                for (const double weight : weights) series.push_back(weight * (1 + normal(random)));
            }
            return sums;
        });
        EXPECT_GE(rate, 0.9) << seeds;
    }
}

}  // namespace
}  // namespace longbow
