#include "longbow/optim/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
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

// torch.optim.lr_scheduler (2.11): lr=2e-3, CosineAnnealingLR(T_max=8, eta_min=1e-4) and PolynomialLR(total_iters=8, power=1).
TEST(Schedule, EqualsTorchAfterTheWarmUp) {
    const std::vector<double> cosine = {0.002, 0.0019276855558857224, 0.0017217514421272201, 0.0014135492607468354, 0.0010499999999999999,
                                        0.00068645073925316478, 0.0003782485578727799, 0.0001723144441142776, 0.0001};
    for (std::size_t i = 0; i < cosine.size(); ++i) {
        const auto u = static_cast<std::int64_t>(i);
        EXPECT_NEAR(learning_rate(schedule("cosine", 1e-4), kPeak, 3 + u, 3, 11), cosine[i], 1e-16) << i;
        EXPECT_NEAR(learning_rate(schedule("linear"), kPeak, 3 + u, 3, 11), 0.002 - 0.00025 * static_cast<double>(i), 1e-16) << i;
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
