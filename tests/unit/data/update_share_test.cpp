// Tests that an update's inputs are the same for any number of ranks, and that each input belongs to one rank.
#include "longbow/data/update_share.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <tuple>

#include "longbow/core/error.h"

namespace longbow {
namespace {

std::vector<std::int64_t> begins_of(const std::vector<std::vector<TrainingInput>>& micro_batches) {
    std::vector<std::int64_t> begins;
    for (const auto& blocks : micro_batches) {
        for (const auto& block : blocks) begins.push_back(block.begin);
    }
    return begins;
}

TEST(UpdateShare, EveryInputIsSomeRanksOnce) {
    std::mt19937 draw(7);
    for (const auto order_name : {DataOrder::shuffled, DataOrder::fairseq}) {
        for (int round = 0; round < 200; ++round) {
            TrainConfig config;
            config.order = order_name;
            config.length = 1 + static_cast<std::int64_t>(draw() % 16);
            config.batch = 1 + static_cast<std::int64_t>(draw() % 9);
            config.accumulate = 1 + static_cast<std::int64_t>(draw() % 9);
            const int world = 1 + static_cast<int>(draw() % static_cast<unsigned>(std::min<std::int64_t>(
                                                                8, config.batch * config.accumulate)));
            const auto order = training_order(std::int64_t{1500}, config);
            const DataPosition position{static_cast<std::int64_t>(draw() % 40),
                                        static_cast<std::int64_t>(draw() % 900)};
            const auto whole = share_of_update(*order, position, config);
            auto expected = begins_of(whole.micro_batches);
            std::vector<std::int64_t> found;
            std::size_t least = expected.size(), most = 0;
            for (int rank = 0; rank < world; ++rank) {
                const auto share = share_of_update(*order, position, config, rank, world);
                EXPECT_EQ(std::tie(share.samples, share.tokens), std::tie(whole.samples, whole.tokens));
                EXPECT_EQ(share.first.size(), 1u);
                for (const auto& micro : share.micro_batches)
                    EXPECT_TRUE(!micro.empty() && static_cast<std::int64_t>(micro.size()) <= config.batch);
                const auto own = begins_of(share.micro_batches);
                least = std::min(least, own.size());
                most = std::max(most, own.size());
                found.insert(found.end(), own.begin(), own.end());
            }
            std::sort(expected.begin(), expected.end());
            std::sort(found.begin(), found.end());
            ASSERT_EQ(found, expected) << name_of(order_name) << " batch " << config.batch << " accumulate "
                                       << config.accumulate << " world " << world;
            if (config.accumulate % world != 0) {
                EXPECT_LE(most - least, 1u);
            }
        }
    }
}

TEST(UpdateShare, OneProcessHasTheOrdersOwnMicroBatches) {
    TrainConfig config;
    config.order = DataOrder::fairseq;
    config.length = 8;
    config.batch = 3;
    config.accumulate = 4;
    const auto order = training_order(std::int64_t{500}, config);
    const DataPosition position{2, 24};
    const auto share = share_of_update(*order, position, config);
    ASSERT_EQ(share.micro_batches.size(), 4u);
    for (std::int64_t micro = 0; micro < 4; ++micro) {
        EXPECT_EQ(begins_of({share.micro_batches[static_cast<std::size_t>(micro)]}),
                  begins_of({order->micro_batch(position, micro)}));
    }
}

TEST(UpdateShare, MoreRanksThanInputsIsAnError) {
    TrainConfig config;
    config.length = 4;
    config.batch = 2;
    const auto order = training_order(std::int64_t{100}, config);
    EXPECT_THROW(share_of_update(*order, {}, config, 0, 3), ConfigError);
    EXPECT_NO_THROW(share_of_update(*order, {}, config, 1, 2));
}

}  // namespace
}  // namespace longbow
