// Tests properties of the order of training: every block comes once per epoch, each epoch has another order, and any
// place costs O(1).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "longbow/core/error.h"
#include "longbow/data/sample_order.h"

namespace longbow {
namespace {

TEST(Permutation, IsABijectionForEverySmallSizeAndManyKeys) {
    for (std::uint64_t size = 1; size <= 300; ++size) {
        for (std::uint64_t key = 0; key < 5; ++key) {
            const Permutation permutation(size, key);
            std::vector<bool> seen(size);
            for (std::uint64_t i = 0; i < size; ++i) {
                const auto value = permutation.at(i);
                ASSERT_LT(value, size);
                ASSERT_FALSE(seen[value]) << "size " << size << " key " << key;
                seen[value] = true;
            }
        }
    }
}

TEST(Permutation, IsABijectionAtSizesAroundPowersOfTwo) {
    for (const std::uint64_t size :
         {1023ULL, 1024ULL, 1025ULL, 4095ULL, 4097ULL, 65535ULL, 65536ULL, 65537ULL, 99991ULL}) {
        const Permutation permutation(size, 42);
        std::vector<bool> seen(size);
        for (std::uint64_t i = 0; i < size; ++i) seen[permutation.at(i)] = true;
        EXPECT_EQ(std::count(seen.begin(), seen.end(), true), static_cast<std::ptrdiff_t>(size));
    }
}

TEST(Permutation, WorksAtTheLargestSizes) {
    for (const std::uint64_t size : {(1ULL << 62) + 1, 1ULL << 63, (1ULL << 63) - 25}) {
        const Permutation permutation(size, 7);
        std::set<std::uint64_t> values;
        for (std::uint64_t i = 0; i < 2000; ++i) {
            values.insert(permutation.at(i));
            values.insert(permutation.at(size - 1 - i));
        }
        EXPECT_EQ(values.size(), 4000U);
        EXPECT_LT(*values.rbegin(), size);
    }
}

TEST(Permutation, RefusesAnIndexOutsideAndSizeZero) {
    EXPECT_THROW(Permutation(0, 1), Error);
    EXPECT_THROW((void)Permutation(10, 1).at(10), Error);
}

// Over many keys, each element comes to each place about equally often: chi-squared per element stays near its degrees
// of freedom.
TEST(Permutation, PlacesAreUniformOverKeys) {
    constexpr int kKeys = 4000;
    for (const std::uint64_t size : {2ULL, 3ULL, 5ULL, 8ULL, 13ULL, 64ULL}) {
        for (std::uint64_t index : {std::uint64_t{0}, size / 2, size - 1}) {
            std::vector<int> count(size);
            for (std::uint64_t key = 0; key < kKeys; ++key) ++count[Permutation(size, key).at(index)];
            const double expected = static_cast<double>(kKeys) / static_cast<double>(size);
            double chi = 0;
            for (const int c : count) chi += (c - expected) * (c - expected) / expected;
            const double freedom = static_cast<double>(size - 1);
            EXPECT_LT(chi, freedom + 5 * std::sqrt(2 * freedom)) << "size " << size << " index " << index;
        }
    }
}

// Neighbours in the order are not neighbours in the text.
TEST(Permutation, NeighboursAreFarApart) {
    const Permutation permutation(100000, 3);
    int near = 0;
    for (std::uint64_t i = 0; i + 1 < 2000; ++i) {
        const auto a = static_cast<double>(permutation.at(i));
        const auto b = static_cast<double>(permutation.at(i + 1));
        near += std::abs(a - b) < 1000 ? 1 : 0;
    }
    EXPECT_LT(near, 100);  // 2 % of 2,000, 40, are expected
}

TEST(SampleOrder, EveryEpochHasEveryBlockOnceInsideTheStream) {
    for (const std::int64_t tokens : {64, 65, 127, 128, 1000, 6400, 6463}) {
        const SampleOrder order(tokens, 64, 1);
        ASSERT_EQ(order.blocks_per_epoch(), tokens / 64);
        for (std::int64_t epoch = 0; epoch < 5; ++epoch) {
            std::set<std::int64_t> begins;
            for (std::int64_t i = 0; i < order.blocks_per_epoch(); ++i) {
                const auto begin = order.begin(epoch * order.blocks_per_epoch() + i);
                ASSERT_GE(begin, 0);
                ASSERT_LE(begin + 64, tokens);
                begins.insert(begin);
            }
            ASSERT_EQ(static_cast<std::int64_t>(begins.size()), order.blocks_per_epoch());
            const auto offset = *begins.begin();
            for (const auto begin : begins) ASSERT_EQ((begin - offset) % 64, 0);
        }
    }
}

TEST(SampleOrder, EpochsAndSeedsDiffer) {
    const SampleOrder first(100000, 64, 1);
    const SampleOrder second(100000, 64, 2);
    const auto blocks = first.blocks_per_epoch();
    int same_epoch = 0;
    int same_seed = 0;
    std::set<std::int64_t> offsets;
    for (std::int64_t i = 0; i < blocks; ++i) {
        same_epoch += first.begin(i) / 64 == first.begin(i + blocks) / 64 ? 1 : 0;
        same_seed += first.begin(i) / 64 == second.begin(i) / 64 ? 1 : 0;
    }
    for (std::int64_t epoch = 0; epoch < 200; ++epoch) offsets.insert(first.begin(epoch * blocks) % 64);
    EXPECT_LT(same_epoch, 12);  // one of 1,562 is expected
    EXPECT_LT(same_seed, 12);
    EXPECT_EQ(offsets.size(), static_cast<std::size_t>(100000 % 64 + 1));
}

// Pinned values: another order would change every run that is resumed.
TEST(SampleOrder, IsTheSameAtAnyTimeAndPlatform) {
    const SampleOrder order(100000, 64, 1);
    const std::vector<std::int64_t> begins = {order.begin(0), order.begin(1), order.begin(1561), order.begin(1562),
                                              order.begin(1000000007)};
    EXPECT_EQ(begins, (std::vector<std::int64_t>{1220, 86276, 54852, 43935, 81411}));
}

TEST(SampleOrder, RefusesAStreamShorterThanABlock) {
    EXPECT_THROW(SampleOrder(63, 64, 1), DataError);
    EXPECT_THROW(SampleOrder(63, 0, 1), Error);
}

}  // namespace
}  // namespace longbow
