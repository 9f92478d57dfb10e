#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "longbow/core/error.h"
#include "longbow/data/batches.h"

namespace longbow {
namespace {

TEST(Batches, TargetsFollowTheOrderAndInputsAreShiftedByOne) {
    std::vector<TokenId> ids(1000);
    std::iota(ids.begin(), ids.end(), 10);
    const auto stream = stream_of_ids(ids, 2);
    TrainConfig config;
    config.length = 16;
    config.seed = 3;
    const auto order = training_order(*stream, config);
    const std::int64_t count = order.blocks_per_epoch() + 5;
    std::vector<std::int64_t> inputs(static_cast<std::size_t>(count * 16));
    std::vector<std::int64_t> targets(inputs.size());
    fill_batch(*stream, order, 7, count, inputs.data(), targets.data());
    for (std::int64_t row = 0; row < count; ++row) {
        for (std::int64_t i = 0; i < 16; ++i) {
            const auto position = order.begin(7 + row) + i;
            const auto at = static_cast<std::size_t>(row * 16 + i);
            ASSERT_EQ(targets[at], 10 + position);
            ASSERT_EQ(inputs[at], position == 0 ? 2 : 9 + position);
        }
    }
}

TEST(Batches, UpdatesShareOutTheSamples) {
    TrainConfig config;
    config.batch = 8;
    config.accumulate = 3;
    EXPECT_EQ(samples_of_update(config, 1).first, 0);
    EXPECT_EQ(samples_of_update(config, 1).count, 24);
    EXPECT_EQ(samples_of_update(config, 5).first, 96);
    EXPECT_EQ(samples_of_update(config, 5, 2).first, 192);
    EXPECT_THROW((void)samples_of_update(config, 0), UsageError);
}

TEST(Batches, LengthOne) {
    const auto stream = stream_of_ids({4, 5}, 2);
    const SampleOrder order(2, 1, 1);
    std::int64_t inputs[2];
    std::int64_t targets[2];
    fill_batch(*stream, order, 0, 2, inputs, targets);
    EXPECT_EQ((std::set<std::int64_t>{inputs[0], inputs[1]}), (std::set<std::int64_t>{2, 4}));
    EXPECT_EQ((std::set<std::int64_t>{targets[0], targets[1]}), (std::set<std::int64_t>{4, 5}));
}

}  // namespace
}  // namespace longbow
