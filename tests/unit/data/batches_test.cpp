// Tests which inputs and targets an update's batch holds.
#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "longbow/core/error.h"
#include "longbow/data/batches.h"
#include "longbow/data/memory_stream.h"

namespace longbow {
namespace {

TEST(Batches, TargetsFollowTheOrderAndInputsAreShiftedByOne) {
    std::vector<TokenId> ids(1000);
    std::iota(ids.begin(), ids.end(), 10);
    const auto stream = stream_of_ids(ids, 2);
    TrainConfig config;
    config.length = 16;
    config.seed = 3;
    config.batch = 5;
    config.accumulate = 2;
    const auto order = training_order(*stream, config);
    const SampleOrder samples(stream->size(), 16, 3);
    EXPECT_EQ(order->tokens_per_update(), 160);
    for (std::int64_t update = 1; update <= 8; ++update) {  // goes past the end of the first epoch
        for (std::int64_t micro = 0; micro < 2; ++micro) {
            const auto blocks = order->micro_batch(position_of_update(config, update), micro);
            ASSERT_EQ(blocks.size(), 5U);
            std::vector<std::int64_t> inputs(5 * 16);
            std::vector<std::int64_t> targets(inputs.size());
            fill_batch(*stream, blocks, 16, inputs.data(), targets.data());
            for (std::int64_t row = 0; row < 5; ++row) {
                const auto sample = (update - 1) * 10 + micro * 5 + row;
                EXPECT_EQ(blocks[static_cast<std::size_t>(row)].sample, sample);
                EXPECT_EQ(blocks[static_cast<std::size_t>(row)].epoch, sample / samples.blocks_per_epoch());
                for (std::int64_t i = 0; i < 16; ++i) {
                    const auto position = samples.begin(sample) + i;
                    const auto at = static_cast<std::size_t>(row * 16 + i);
                    ASSERT_EQ(targets[at], 10 + position);
                    ASSERT_EQ(inputs[at], position == 0 ? 2 : 9 + position);
                }
            }
        }
    }
}

TEST(Batches, UpdatesAreNumberedFromOne) {
    TrainConfig config;
    config.batch = 8;
    config.accumulate = 3;
    EXPECT_EQ(position_of_update(config, 1).samples, 0);
    EXPECT_EQ(position_of_update(config, 5).samples, 96);
    EXPECT_EQ(position_of_update(config, 5).updates, 4);
    EXPECT_THROW((void)position_of_update(config, 0), UsageError);
}

TEST(Batches, LengthOne) {
    const auto stream = stream_of_ids({4, 5}, 2);
    std::int64_t inputs[2];
    std::int64_t targets[2];
    fill_batch(*stream, {{1, 1, 0, 0}, {0, 1, 0, 1}}, 1, inputs, targets);
    EXPECT_EQ(inputs[0], 4);
    EXPECT_EQ(inputs[1], 2);
    EXPECT_EQ(targets[0], 5);
    EXPECT_EQ(targets[1], 4);
}

TEST(Batches, AShortBlockIsFilledUp) {
    const auto stream = stream_of_ids({4, 5, 6, 7, 8}, 2);
    TrainConfig config;
    config.order = DataOrder::fairseq;
    config.length = 3;
    config.batch = 2;
    const auto order = training_order(*stream, config);
    EXPECT_EQ(order->updates_per_epoch(), 1);
    EXPECT_EQ(order->tokens_per_update(), 5);
    const auto blocks = order->micro_batch({0, 0}, 0);
    ASSERT_EQ(blocks.size(), 2U);
    std::vector<std::int64_t> inputs(6), targets(6);
    fill_batch(*stream, blocks, 3, inputs.data(), targets.data());
    EXPECT_EQ(inputs, (std::vector<std::int64_t>{6, 7, 7, 2, 4, 5}));
    EXPECT_EQ(targets, (std::vector<std::int64_t>{7, 8, kNoTarget, 4, 5, 6}));
}

}  // namespace
}  // namespace longbow
