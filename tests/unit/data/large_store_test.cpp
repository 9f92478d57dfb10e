// Tests a store of 10^11 tokens whose files are sparse: it opens at once, is read anywhere, and takes memory for what
// is read, not for what it holds.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <set>
#include <type_traits>

#include "longbow/data/batches.h"
#include "longbow/data/sample_order.h"
#include "store_fixture.h"

namespace longbow {
namespace {

constexpr std::int64_t kTokens = 100'000'000'000;
constexpr std::int64_t kShardTokens = std::int64_t{1} << 29;

// An order holds only a few numbers.
static_assert(std::is_trivially_copyable_v<SampleOrder> && sizeof(SampleOrder) <= 64);

// Returns how many pages this process has touched for the first time so far.
long page_faults() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt + usage.ru_majflt;
}

// Returns the memory that does not belong to files, in KiB.
long anonymous_memory() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.rfind("RssAnon:", 0) == 0) return std::stol(line.substr(8));
    }
    return 0;
}

class LargeStore : public test::StoreTest {
protected:
    // Returns false if the file system has no room even for sparse files.
    bool make() {
        store_ = folder_ / "large";
        fs::create_directories(store_);
        SplitManifest split;
        split.name = "train";
        split.tokens = kTokens;
        split.documents = 1;
        split.raw_bytes = 4 * static_cast<std::uint64_t>(kTokens);
        split.words = static_cast<std::uint64_t>(kTokens) / 2;
        split.fingerprint = "made by hand";
        for (std::int64_t left = kTokens; left > 0; left -= kShardTokens) {
            const auto bytes = 2 * static_cast<std::uint64_t>(std::min(left, kShardTokens));
            split.shards.push_back({shard_name("train", split.shards.size()), bytes, "xxh3:0"});
            if (!sparse(split.shards.back().file, bytes)) return false;
        }
        const std::uint64_t end = kTokens;
        split.document_ends = {"train.documents.bin", 8, "xxh3:0"};
        put(split.document_ends.file, 0, &end, 8);
        split.cumulative = {"train.cumulative.bin", 16 * cumulative_entries(kTokens), "xxh3:0"};
        if (!sparse(split.cumulative.file, split.cumulative.bytes)) return false;
        const std::uint64_t totals[2] = {split.raw_bytes, split.words};
        put(split.cumulative.file, split.cumulative.bytes - 16, totals, 16);
        for (const auto& [position, id] : known_) {
            const auto value = static_cast<std::uint16_t>(id);
            put(shard_name("train", static_cast<std::size_t>(position / kShardTokens)),
                2 * static_cast<std::uint64_t>(position % kShardTokens), &value, 2);
        }
        (void)write_manifest(store_, test::ByteTokenizer(), DataConfig(), split);
        return true;
    }

    const std::map<std::int64_t, std::int64_t> known_ = {
        {0, 11}, {kShardTokens - 1, 12}, {kShardTokens, 13}, {77'777'777'777, 14}, {kTokens - 1, 15}};
    fs::path store_;

private:
    bool sparse(const std::string& name, std::uint64_t bytes) {
        std::ofstream(store_ / name).flush();
        return ::truncate((store_ / name).c_str(), static_cast<off_t>(bytes)) == 0;
    }
    void put(const std::string& name, std::uint64_t at, const void* data, std::size_t size) {
        const int fd = ::open((store_ / name).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        EXPECT_EQ(::pwrite(fd, data, size, static_cast<off_t>(at)), static_cast<ssize_t>(size));
        ::close(fd);
    }
};

TEST_F(LargeStore, OpensAtOnceAndIsReadAnywhere) {
    if (!make()) GTEST_SKIP() << "the file system takes no sparse files of this size";
    const auto memory = anonymous_memory();
    const auto faults = page_faults();
    const TokenStore store(store_);
    const auto& stream = store.split("train");
    EXPECT_LT(page_faults() - faults, 20'000) << "of 49 million pages: what it opens it does not read";
    ASSERT_EQ(stream.size(), kTokens);
    for (const auto& [position, id] : known_) {
        std::int64_t found[3] = {-1, -1, -1};
        const auto begin = std::clamp<std::int64_t>(position - 1, 0, kTokens - 3);
        stream.prefetch(begin, 3);
        stream.read(begin, 3, found);
        EXPECT_EQ(found[position - begin], id) << position;
    }
    std::int64_t across[2];
    stream.read(kShardTokens - 1, 2, across);
    EXPECT_EQ(across[0], 12);
    EXPECT_EQ(across[1], 13);
    EXPECT_EQ(stream.bytes_before(kTokens), 4e11);
    EXPECT_EQ(stream.bytes_before(kTokens / 2), 0);
    EXPECT_EQ(stream.document_ends(), std::vector<std::int64_t>{kTokens});

    // Batches of any update, as a resumed run needs them.
    TrainConfig config;
    config.length = 1024;
    config.batch = 16;
    const auto order = training_order(stream, config);
    std::vector<std::int64_t> inputs(16 * 1024), targets(16 * 1024);
    std::set<std::int64_t> begins;
    for (const std::int64_t update : {1LL, 2LL, 1'000'000LL, 6'103'515LL, 6'103'516LL, 123'456'789LL}) {
        const auto position = position_of_update(config, update);
        const auto blocks = order->micro_batch(position, 0);
        prefetch(stream, {blocks});
        fill_batch(stream, blocks, 1024, inputs.data(), targets.data());
        for (const auto& block : blocks) begins.insert(block.begin);
    }
    EXPECT_EQ(begins.size(), 6 * 16U);
    EXPECT_LT(anonymous_memory() - memory, 32 << 10);
}

// Every block must come once per epoch. A test cannot list 10^8 of them, so it checks properties at random: two indices
// never give one block, blocks lie inside the stream and on its grid, and each part of the stream has its share.
TEST(LargeOrder, IsAPermutationWithoutATable) {
    for (const std::int64_t length : {64, 1024, 2048}) {
        const SampleOrder order(kTokens, length, 5);
        ASSERT_EQ(order.blocks_per_epoch(), kTokens / length);
        for (const std::int64_t epoch : {0, 1, 1000}) {
            std::set<std::int64_t> begins;
            std::vector<int> parts(16);
            constexpr int kDrawn = 20000;
            const auto offset = order.begin(epoch * order.blocks_per_epoch()) % length;
            Random random(7);
            std::set<std::int64_t> indices;
            while (indices.size() < kDrawn)
                indices.insert(
                    static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(order.blocks_per_epoch()))));
            for (const auto index : indices) {
                const auto begin = order.begin(epoch * order.blocks_per_epoch() + index);
                ASSERT_GE(begin, 0);
                ASSERT_LE(begin + length, kTokens);
                ASSERT_EQ(begin % length, offset);
                begins.insert(begin);
                ++parts[static_cast<std::size_t>(begin / (kTokens / 16 + 1))];
            }
            EXPECT_EQ(begins.size(), static_cast<std::size_t>(kDrawn));
            for (const int part : parts) EXPECT_NEAR(part, kDrawn / 16, 200);  // one standard deviation is 34
        }
    }
}

}  // namespace
}  // namespace longbow
