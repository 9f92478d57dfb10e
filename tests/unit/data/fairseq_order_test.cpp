// Tests fairseq's order of training inputs against NumPy and the paper's numbers of updates.
#include "longbow/data/fairseq_order.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <vector>

#include "longbow/core/error.h"

namespace longbow {
namespace {

// Expected values of numpy 2.4: RandomState(s).permutation(n), which equals .shuffle of list(range(n)).
TEST(NumpyPermutation, EqualsNumpy) {
    using V = std::vector<std::uint32_t>;
    EXPECT_EQ(numpy_permutation(10, 1), (V{2, 9, 6, 4, 0, 3, 1, 7, 8, 5}));
    EXPECT_EQ(numpy_permutation(23, 7),
              (V{1, 5, 2, 22, 20, 12, 11, 0, 21, 6, 18, 16, 13, 10, 17, 9, 8, 14, 7, 19, 3, 4, 15}));
    EXPECT_EQ(numpy_permutation(11, 2), (V{4, 1, 9, 5, 0, 7, 2, 3, 6, 10, 8}));
    EXPECT_EQ(numpy_permutation(13, 3), (V{6, 4, 1, 2, 12, 5, 7, 0, 11, 3, 9, 8, 10}));
    EXPECT_EQ(numpy_permutation(1, 5), (V{0}));
    EXPECT_TRUE(numpy_permutation(0, 5).empty());
    const auto large = numpy_permutation(100000, 1);
    EXPECT_EQ(V(large.begin(), large.begin() + 5), (V{43660, 87278, 14317, 81932, 95321}));
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < large.size(); ++i) sum += large[i] * i;
    EXPECT_EQ(sum, 250171542015738U);
}

TEST(FairseqOrder, AnEpochHasEveryBlockOnceTheShortOneInTheFirstBatchCut) {
    const FairseqOrder order(16 * 22 + 5, 16, 4, 2, 1);  // 23 blocks in 6 batches: 3 updates
    EXPECT_EQ(order.blocks_per_epoch(), 23);
    EXPECT_EQ(order.batches_per_epoch(), 6);
    EXPECT_EQ(order.updates_per_epoch(), 3);
    std::vector<std::set<std::int64_t>> batches_of_epoch[2];
    std::int64_t sample = 0;
    for (std::int64_t update = 0; update < 6; ++update) {
        for (std::int64_t micro = 0; micro < 2; ++micro) {
            std::set<std::int64_t> begins;
            for (const auto& block : order.micro_batch(update, micro)) {
                EXPECT_EQ(block.length, block.begin == 16 * 22 ? 5 : 16);
                EXPECT_EQ(block.epoch, update / 3);
                EXPECT_EQ(block.sample, sample++);
                begins.insert(block.begin);
            }
            if (begins.contains(16 * 22)) {
                EXPECT_EQ(begins.size(), 4U) << "the short block comes first in sorted order";
            }
            batches_of_epoch[update / 3].push_back(begins);
        }
    }
    EXPECT_EQ(sample, 46);
    EXPECT_NE(batches_of_epoch[0], batches_of_epoch[1]) << "shuffled anew";
    using Batches = std::set<std::set<std::int64_t>>;
    EXPECT_EQ(Batches(batches_of_epoch[0].begin(), batches_of_epoch[0].end()),
              Batches(batches_of_epoch[1].begin(), batches_of_epoch[1].end()))
        << "the same batches";
}

TEST(FairseqOrder, ProcessesTakeTurns) {
    const FairseqOrder whole(16 * 23, 16, 4, 1, 9);  // 6 batches
    std::vector<FairseqOrder> shards;
    for (std::int64_t rank = 0; rank < 4; ++rank) shards.emplace_back(16 * 23, 16, 4, 1, 9, 4, rank);
    EXPECT_EQ(shards[0].updates_per_epoch(), 2);
    for (std::int64_t turn = 0; turn < 8; ++turn) {
        const auto found = shards[static_cast<std::size_t>(turn % 4)].micro_batch(turn / 4, 0);
        if (turn >= 6) {
            EXPECT_TRUE(found.empty()) << "the last update of the epoch has work for two of four";
            continue;
        }
        const auto expected = whole.micro_batch(turn, 0);
        ASSERT_EQ(found.size(), expected.size());
        for (std::size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i].begin, expected[i].begin);
    }
}

// The paper's corpus on its eight GPUs: updates per epoch for each training length (9,216 tokens a GPU in a batch).
TEST(FairseqOrder, ThePapersUpdatesAnEpoch) {
    constexpr std::int64_t kTokens = 103227021;
    EXPECT_EQ(FairseqOrder(kTokens, 512, 18, 1, 1, 8).updates_per_epoch(), 1401);
    EXPECT_EQ(FairseqOrder(kTokens, 2048, 4, 1, 1, 8).updates_per_epoch(), 1576);
    EXPECT_EQ(FairseqOrder(kTokens, 3072, 1, 3, 1, 8).updates_per_epoch(), 1401);
}

TEST(FairseqOrder, AStreamShorterThanABlock) {
    const FairseqOrder order(5, 16, 4, 1, 1);
    const auto blocks = order.micro_batch(7, 0);
    ASSERT_EQ(blocks.size(), 1U);
    EXPECT_EQ(blocks[0].length, 5);
    EXPECT_EQ(blocks[0].sample, 7);
    EXPECT_THROW(FairseqOrder(0, 16, 4, 1, 1), DataError);
}

}  // namespace
}  // namespace longbow
