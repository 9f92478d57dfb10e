// Tests mixtures: the shares hold at every point of a run, each sample of each source comes once, and only (seed, i)
// decides.
#include "longbow/data/mixture.h"

#include <gmock/gmock.h>

#include <cmath>
#include <map>
#include <set>

#include "longbow/core/error.h"
#include "longbow/data/batches.h"
#include "store_fixture.h"
#include "unit/error_of.h"

namespace longbow {
namespace {

using test::error_of;
using testing::HasSubstr;

const std::vector<std::vector<double>> kWeights = {{1, 1}, {0.7, 0.2, 0.1}, {1e-3, 1}, {5, 1, 1, 1, 1, 1e-4},
                                                   {3},    {1e-6, 1 - 1e-6}};

TEST(MixtureChoice, EverySampleOfEverySourceComesOnce) {
    for (const auto& weights : kWeights) {
        const MixtureChoice choice(weights, 7);
        std::vector<std::set<std::int64_t>> seen(weights.size());
        const std::int64_t samples = 200 * MixtureChoice::kRound;
        for (std::int64_t i = 0; i < samples; ++i) {
            const auto draw = choice.at(i);
            ASSERT_LT(draw.source, weights.size());
            ASSERT_TRUE(seen[draw.source].insert(draw.sample).second) << i;
        }
        for (const auto& source : seen) {
            // There are no gaps.
            EXPECT_EQ(source.empty() ? 0 : *source.rbegin() + 1, static_cast<std::int64_t>(source.size()));
        }
    }
}

TEST(MixtureChoice, SharesHoldAtEveryRound) {
    for (const auto& weights : kWeights) {
        double total = 0;
        for (const double weight : weights) total += weight;
        const MixtureChoice choice(weights, 3);
        std::vector<std::int64_t> count(weights.size());
        for (std::int64_t i = 0; i < 1000 * MixtureChoice::kRound; ++i) {
            ++count[choice.at(i).source];
            if ((i + 1) % MixtureChoice::kRound != 0) continue;
            for (std::size_t k = 0; k < weights.size(); ++k) {
                const double expected = static_cast<double>(i + 1) * weights[k] / total;
                ASSERT_NEAR(static_cast<double>(count[k]), expected,
                            static_cast<double>(weights.size()) + 1e-4 * expected)
                    << "source " << k << " of " << weights.size();
            }
        }
    }
}

// Far out in a run it is as fast as at the start: the count of a source after n samples is known without the n samples.
TEST(MixtureChoice, HoldsFarOut) {
    const MixtureChoice choice({0.9, 0.1}, 11);
    const std::int64_t far = (std::int64_t{1} << 52) / MixtureChoice::kRound * MixtureChoice::kRound;
    std::set<std::int64_t> first;
    for (std::int64_t i = far; i < far + 10 * MixtureChoice::kRound; ++i) {
        const auto draw = choice.at(i);
        const double share = draw.source == 0 ? 0.9 : 0.1;
        EXPECT_NEAR(static_cast<double>(draw.sample) / static_cast<double>(i), share, 1e-9);
        if (draw.source == 0) first.insert(draw.sample);
    }
    EXPECT_EQ(*first.rbegin() - *first.begin() + 1, static_cast<std::int64_t>(first.size()));
}

TEST(MixtureChoice, SeedsDiffer) {
    const MixtureChoice one({1, 1}, 1);
    const MixtureChoice two({1, 1}, 2);
    int same = 0;
    for (std::int64_t i = 0; i < 4096; ++i) same += one.at(i).source == two.at(i).source ? 1 : 0;
    EXPECT_NEAR(same, 2048, 200);
}

// Pinned values: another choice would change every run that is resumed.
TEST(MixtureChoice, IsTheSameAtAnyTimeAndPlatform) {
    const MixtureChoice choice({0.5, 0.3, 0.2}, 1);
    std::string drawn;
    for (const std::int64_t i : {0, 1, 2, 3, 255, 256, 1000000007}) {
        const auto draw = choice.at(i);
        drawn += std::to_string(draw.source) + ":" + std::to_string(draw.sample) + " ";
    }
    EXPECT_EQ(drawn, "1:73 0:99 2:18 2:51 1:5 0:169 1:300000035 ");
}

TEST(Mixture, EntriesAreChecked) {
    const auto parsed = parse_mixture({"data/a=3", "b=c=0.5", "d"});
    EXPECT_EQ(parsed[0].store, "data/a");
    EXPECT_EQ(parsed[0].weight, 3);
    EXPECT_EQ(parsed[1].store, "b=c");
    EXPECT_EQ(parsed[1].weight, 0.5);
    EXPECT_EQ(parsed[2].weight, 1);
    for (const char* bad : {"a=0", "a=-1", "a=x", "a=", "a=1e400", "a=nan", "a=1 2"}) {
        EXPECT_THAT(error_of([&] { (void)parse_mixture({"z=1", bad}); }), HasSubstr("STORE=WEIGHT")) << bad;
    }
    EXPECT_THAT(error_of([] { (void)parse_mixture({"=1", "b"}); }), HasSubstr("names no store"));
    EXPECT_THAT(error_of([] { (void)parse_mixture({"a=1", "a=2"}); }), HasSubstr("named twice"));
    EXPECT_THAT(error_of([] { (void)parse_mixture({"a=1", "b=1e-7"}); }), HasSubstr("millionth"));
}

class MixtureTest : public test::StoreTest {
protected:
    // Writes a store of `bytes` bytes, all of them `letter` except for the boundary at the end.
    std::string store(const std::string& name, char letter, std::size_t bytes) {
        write_store(folder_ / name, test::ByteTokenizer(), {write_text(name + ".txt", std::string(bytes, letter))},
                    DataConfig(), 1, 1 << 20);
        return (folder_ / name).string();
    }
};

TEST_F(MixtureTest, BlocksComeFromTheirStoresAndGoThroughEach) {
    DataConfig data;
    data.mixture = {store("a", 'a', 999) + "=3", store("b", 'b', 511) + "=1"};
    const TokenStore first(store_path(data, "nowhere"));
    const TrainingSource source(data, first);
    const auto& stream = source.stream();
    ASSERT_EQ(stream.size(), 1000 + 512);
    EXPECT_EQ(stream.document_ends(), (std::vector<std::int64_t>{1000, 1512}));
    EXPECT_EQ(stream.bytes_before(1000), 999);
    EXPECT_EQ(stream.bytes_before(1512), 999 + 511);

    TrainConfig config;
    config.length = 10;
    config.batch = 8;
    config.accumulate = 2;
    const auto order = training_order(stream, config);
    EXPECT_EQ(order->tokens_per_update(), 160);
    EXPECT_EQ(order->updates_per_epoch(), (100 + 51) / 16.0);
    std::map<char, int> count;
    std::map<char, std::map<std::int64_t, std::set<std::int64_t>>> begins;  // begins seen in each epoch
    std::vector<std::int64_t> inputs(80), targets(80);
    for (std::int64_t update = 1; update <= 64; ++update) {
        const auto position = position_of_update(config, update);
        prefetch(stream, {order->micro_batch(position, 0), order->micro_batch(position, 1)});
        for (std::int64_t micro = 0; micro < 2; ++micro) {
            const auto blocks = order->micro_batch(position, micro);
            fill_batch(stream, blocks, 10, inputs.data(), targets.data());
            for (std::size_t row = 0; row < blocks.size(); ++row) {
                const auto& block = blocks[row];
                const char letter = block.begin < 1000 ? 'a' : 'b';
                ++count[letter];
                EXPECT_EQ(source.store_at(block.begin).path().filename().string(), std::string(1, letter));
                // No block crosses into the next store.
                for (std::size_t i = 0; i < 9; ++i) ASSERT_EQ(targets[row * 10 + i], letter);
                EXPECT_TRUE(begins[letter][block.epoch].insert(block.begin).second);
                EXPECT_EQ(block.sample, position.samples + micro * 8 + static_cast<std::int64_t>(row));
            }
        }
    }
    EXPECT_NEAR(count['a'], 768, 2);
    EXPECT_NEAR(count['b'], 256, 2);
    // Each epoch has every block once, except for the two epochs in which the test ends.
    for (std::int64_t epoch = 0; epoch < 5; ++epoch) EXPECT_EQ(begins['a'][epoch].size(), 100U) << epoch;
    for (std::int64_t epoch = 0; epoch < 3; ++epoch) EXPECT_EQ(begins['b'][epoch].size(), 51U) << epoch;

    // The first block of the second store is preceded by a boundary, like that of the first.
    std::int64_t input = 0;
    read_inputs(stream, 1000, 1, &input);
    EXPECT_EQ(input, 256);

    config.order = DataOrder::fairseq;
    EXPECT_THAT(error_of([&] { (void)training_order(stream, config); }), HasSubstr("train.order"));
}

TEST_F(MixtureTest, WeightsAndTextsAreTheFingerprint) {
    const auto a = store("a", 'a', 100), b = store("b", 'b', 100);
    const auto fingerprint = [&](const std::vector<std::string>& mixture) {
        DataConfig data;
        data.mixture = mixture;
        const TokenStore first(store_path(data, ""));
        return TrainingSource(data, first).stream().fingerprint();
    };
    const std::set<std::string> all = {fingerprint({a + "=1", b + "=1"}), fingerprint({a + "=1", b + "=2"}),
                                       fingerprint({b + "=1", a + "=1"})};
    EXPECT_EQ(all.size(), 3U);
    EXPECT_EQ(fingerprint({a + "=2.0", b + "=1"}), fingerprint({a + "=2", b}));
}

TEST_F(MixtureTest, OneTokenizerForAll) {
    DataConfig data;
    data.mixture = {store("a", 'a', 100), store("b", 'b', 100)};
    auto text = read_file(folder_ / "b" / "manifest.json");
    Json manifest = Json::parse(text);
    manifest["tokenizer"]["fingerprint"] = "another";
    write_file_atomic(folder_ / "b" / "manifest.json", manifest_text(parse_manifest(manifest, "m")));
    const TokenStore first(folder_ / "a");
    EXPECT_THAT(error_of([&] { const TrainingSource source(data, first); }),
                HasSubstr("made with another tokenizer (another)"));
}

}  // namespace
}  // namespace longbow
