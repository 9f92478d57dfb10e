// Tests learning-rate schedules against PyTorch and fairseq, and their warm-up, restarts and limits.
#include "longbow/optim/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <utility>
#include <vector>

namespace longbow {
namespace {

constexpr double kPeak = 2e-3;

ScheduleConfig schedule(const char* name, double min_lr = 0) {
    ScheduleConfig config;
    config.name = name;
    config.min_lr = min_lr;
    return config;
}

// Expected values are from torch.optim.lr_scheduler (2.11): lr=2e-3, CosineAnnealingLR(T_max=8, eta_min=1e-4) and
// PolynomialLR(total_iters=8, power=1).
TEST(Schedule, EqualsTorchAfterTheWarmUp) {
    const std::vector<double> cosine = {0.002,
                                        0.0019276855558857224,
                                        0.0017217514421272201,
                                        0.0014135492607468354,
                                        0.0010499999999999999,
                                        0.00068645073925316478,
                                        0.0003782485578727799,
                                        0.0001723144441142776,
                                        0.0001};
    for (std::size_t i = 0; i < cosine.size(); ++i) {
        const auto u = static_cast<std::int64_t>(i);
        EXPECT_NEAR(learning_rate(schedule("cosine", 1e-4), kPeak, 3 + u, 3, 11), cosine[i], 1e-16) << i;
        EXPECT_NEAR(learning_rate(schedule("linear"), kPeak, 3 + u, 3, 11), 0.002 - 0.00025 * static_cast<double>(i),
                    1e-16)
            << i;
    }
    EXPECT_EQ(learning_rate(schedule("cosine", 1e-4), kPeak, 500, 3, 11), 1e-4) << "stays at the minimum";
    EXPECT_EQ(learning_rate(schedule("linear", 1e-4), kPeak, 500, 3, 11), 1e-4);
}

TEST(Schedule, WarmUpEndsAtThePeakWhateverTheName) {
    for (const char* name : {"constant", "linear", "cosine", "inverse_sqrt"}) {
        auto config = schedule(name);
        config.warmup_init_lr = 1e-7;
        EXPECT_DOUBLE_EQ(learning_rate(config, kPeak, 0, 4, 100), 1e-7 + (kPeak - 1e-7) / 4) << name;
        EXPECT_DOUBLE_EQ(learning_rate(config, kPeak, 3, 4, 100), kPeak) << name;
        EXPECT_DOUBLE_EQ(learning_rate(config, kPeak, 4, 4, 100), kPeak) << name;
        EXPECT_DOUBLE_EQ(learning_rate(config, kPeak, 0, 0, 100), kPeak) << name << " without warm-up";
    }
}

// The authors' run of tests/golden/trajectory_alibi: --lr 1 --min-lr 1e-4 --warmup-updates 4 --warmup-init-lr 1e-7
// --lr-period-updates 6 --t-mult 2 --lr-shrink 0.75. Here the period includes the warm-up.
TEST(Schedule, WarmUpAndRestartsAsFairseqs) {
    auto config = schedule("cosine", 1e-4);
    config.warmup_init_lr = 1e-7;
    config.warmup_at_init = true;
    config.restarts = true;
    config.period_mult = 2;
    config.shrink = 0.75;
    const std::vector<std::pair<std::int64_t, double>> expected = {{0, 1e-7},
                                                                   {1, 0.250000075},
                                                                   {2, 0.50000005},
                                                                   {3, 0.750000025},
                                                                   {4, 1.0},
                                                                   {5, 0.9330194006220301},
                                                                   {7, 0.50005},
                                                                   {9, 0.06708059937796987},
                                                                   {10, 0.75},
                                                                   {11, 0.7372234626399148},
                                                                   {16, 0.37503749999999997},
                                                                   {21, 0.012851537360085263},
                                                                   {22, 0.5625},
                                                                   {29, 0.4524751554935118}};
    for (const auto& [update, lr] : expected) {
        EXPECT_NEAR(learning_rate(config, 1.0, update, 4, 10) / lr, 1.0, 1e-12) << update;
    }
    config.restarts = false;
    EXPECT_EQ(learning_rate(config, 1.0, 29, 4, 10), 1e-4) << "stays at the end without restarts";
    config.restarts = true;
    config.period_mult = 1;
    EXPECT_DOUBLE_EQ(learning_rate(config, 1.0, 4 + 6 * 5, 4, 10), std::pow(0.75, 5)) << "equal periods";
    // The paper's schedule has one period that ends with the run, when the rate has come down to the minimum.
    EXPECT_NEAR(learning_rate(config, 1.0, 285999, 16000, 286000), 1e-4, 1e-8);
}

TEST(Schedule, InverseSqrtAndConstant) {
    EXPECT_DOUBLE_EQ(learning_rate(schedule("inverse_sqrt"), kPeak, 400, 100, 0), kPeak / 2);
    EXPECT_DOUBLE_EQ(learning_rate(schedule("inverse_sqrt"), kPeak, 25, 0, 0), kPeak / 5);
    EXPECT_EQ(learning_rate(schedule("constant"), kPeak, 1'000'000, 10, 20), kPeak);
}

TEST(Schedule, APeriodNoLongerThanTheWarmUpIsNoDivisionByZero) {
    EXPECT_EQ(learning_rate(schedule("cosine"), kPeak, 5, 5, 5), kPeak);
    EXPECT_TRUE(std::isfinite(learning_rate(schedule("linear"), kPeak, 6, 5, 5)));
}

}  // namespace
}  // namespace longbow
