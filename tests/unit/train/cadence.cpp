#include "../../../src/train/cadence.h"

#include <gtest/gtest.h>

#include "../../../src/train/loss_scale.h"

namespace longbow {
namespace {

std::vector<std::int64_t> due_updates(const Duration& every, std::int64_t last) {
    Cadence cadence(every, {100, 2.5}, 0);
    std::vector<std::int64_t> updates;
    for (std::int64_t u = 1; u <= last; ++u) {
        if (cadence.due(u, 0)) updates.push_back(u);
    }
    return updates;
}

TEST(Cadence, IsAFunctionOfTheUpdate) {
    using Unit = Duration::Unit;
    EXPECT_EQ(due_updates({3, Unit::updates}, 10), (std::vector<std::int64_t>{3, 6, 9}));
    EXPECT_EQ(due_updates({400, Unit::tokens}, 10), (std::vector<std::int64_t>{4, 8}));
    EXPECT_EQ(due_updates({1, Unit::epochs}, 10), (std::vector<std::int64_t>{3, 5, 8, 10})) << "2.5 updates an epoch";
    EXPECT_EQ(due_updates({10, Unit::tokens}, 3), (std::vector<std::int64_t>{1, 2, 3})) << "less than an update: every update";
    EXPECT_TRUE(due_updates({0, Unit::updates}, 10).empty());
}

TEST(Cadence, InSecondsCountsFromTheLast) {
    Cadence cadence({10, Duration::Unit::seconds}, {100, 2.5}, 5);
    EXPECT_FALSE(cadence.due(1, 14));
    EXPECT_TRUE(cadence.due(2, 16));
    EXPECT_FALSE(cadence.due(3, 25));
    EXPECT_TRUE(cadence.due(4, 26));
}

TEST(LossScale, HalvesOnOverflowAndDoublesAfterAWindow) {
    LossScale scale{1024, 0};
    scale = next_loss_scale(scale, true, 3);
    EXPECT_EQ(scale.scale, 512);
    for (int i = 0; i < 2; ++i) scale = next_loss_scale(scale, false, 3);
    EXPECT_EQ(scale.scale, 512);
    scale = next_loss_scale(scale, true, 3);
    EXPECT_EQ(scale.good_updates, 0) << "an overflow starts the window anew";
    for (int i = 0; i < 3; ++i) scale = next_loss_scale(scale, false, 3);
    EXPECT_EQ(scale.scale, 512);
    for (int i = 0; i < 100; ++i) scale = next_loss_scale(scale, true, 3);
    EXPECT_GT(scale.scale, 0);
}

}  // namespace
}  // namespace longbow
