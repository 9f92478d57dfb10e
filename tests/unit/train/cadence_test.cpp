// Tests when something is due, how a run's length is counted in units, and how the loss scale moves.
#include "train/cadence.h"

#include <gtest/gtest.h>

#include "train/loss_scale.h"

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
    EXPECT_EQ(due_updates({10, Unit::tokens}, 3), (std::vector<std::int64_t>{1, 2, 3}))
        << "less than an update: every update";
    EXPECT_TRUE(due_updates({0, Unit::updates}, 10).empty());
}

TEST(Cadence, InSecondsCountsFromTheLast) {
    Cadence cadence({10, Duration::Unit::seconds}, {100, 2.5}, 5);
    EXPECT_FALSE(cadence.due(1, 14));
    EXPECT_TRUE(cadence.due(2, 16));
    EXPECT_FALSE(cadence.due(3, 25));
    EXPECT_TRUE(cadence.due(4, 26));
}

TEST(Units, AForkCountsOnFromWhatLiesBehindIt) {
    using Unit = Duration::Unit;
    const RunUnits fresh{100, 2.5};
    EXPECT_EQ(updates_until({300, Unit::tokens}, fresh), 3);
    EXPECT_EQ(updates_until({2, Unit::epochs}, fresh), 5);
    EXPECT_EQ(fresh.epochs_at(5), 2);
    // 4 updates of 100 tokens and 1.6 epochs lie behind; then updates have 200 tokens, and 1.25 of them make an epoch.
    const RunUnits forked{200, 1.25, 4, 400, 1.6};
    EXPECT_EQ(updates_until({1000, Unit::tokens}, forked), 7);
    EXPECT_EQ(updates_until({400, Unit::tokens}, forked), 4);
    EXPECT_EQ(updates_until({100, Unit::tokens}, forked), 1) << "before the fork in proportion";
    EXPECT_DOUBLE_EQ(updates_until({3.2, Unit::epochs}, forked), 6);
    EXPECT_DOUBLE_EQ(forked.epochs_at(6), 3.2);
    EXPECT_EQ(updates_until({9, Unit::updates}, forked), 9);
    EXPECT_EQ(updates_until({9, Unit::seconds}, forked), -1);
    // With other data, only epochs of these data count.
    const RunUnits elsewhere{100, 2, 10, 1000, 0};
    EXPECT_EQ(updates_until({3, Unit::epochs}, elsewhere), 16);
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
