// Tests that each part of a measurement tells measurements apart, and that a comparison that leaves a part out ignores
// it.
#include "longbow/eval/measurement.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <vector>

#include "longbow/eval/eval_result.h"

namespace longbow {
namespace {

struct Change {
    unsigned part;
    std::function<void(Measurement&)> make;
};

const std::vector<Change>& changes() {
    using M = Measurement;
    static const std::vector<Change> list{
        {M::kProtocol, [](M& m) { m.protocol = "lm-eval"; }},
        {M::kLength, [](M& m) { m.length = 9; }},
        {M::kStride, [](M& m) { m.stride = 3; }},
        {M::kDocuments, [](M& m) { m.within_documents = true; }},
        {M::kLimit, [](M& m) { m.max_stream_tokens = 10; }},
        {M::kDtype, [](M& m) { m.dtype = "bf16"; }},
        {M::kSplit, [](M& m) { m.split = "test"; }},
        {M::kCheckpoint, [](M& m) { m.checkpoint = "xxh3:1"; }},
        {M::kData, [](M& m) { m.data = "xxh3:1"; }},
        {M::kTokenizer, [](M& m) { m.tokenizer = "xxh3:1"; }},
        {M::kConfig, [](M& m) { m.config = "xxh3:1"; }},
        {M::kDataSet, [](M& m) { m.data_set = "cc100"; }},
        {M::kBos, [](M& m) { m.bos = Bos::first; }},
        {M::kTruncate, [](M& m) { m.truncate = true; }},
        {M::kLeastDocument, [](M& m) { m.min_document_tokens = 5; }},
    };
    return list;
}

TEST(Measurement, EveryPartTellsMeasurementsApart) {
    unsigned all = 0;
    Measurement one;
    one.data_set = "wikitext103";
    std::set<std::string> keys{one.key()};
    for (const auto& change : changes()) {
        auto other = one;
        change.make(other);
        EXPECT_FALSE(other == one);
        EXPECT_TRUE(keys.insert(other.key()).second) << other.key();
        EXPECT_FALSE(other.matches(one, change.part));
        EXPECT_TRUE(other.matches(one, Measurement::kAll & ~change.part));
        all |= change.part;
    }
    EXPECT_EQ(all, Measurement::kAll);
}

TEST(Measurement, ADataSetWithoutANameIsAny) {
    Measurement named, before;
    named.data_set = "cc100";
    EXPECT_TRUE(named.matches(before, Measurement::kAll));
    EXPECT_TRUE(before.matches(named, Measurement::kAll));
    EXPECT_FALSE(named == before);
    before.length = 8;
    EXPECT_FALSE(before.matches(named, Measurement::kAll));
}

TEST(Measurement, WithoutARuleForABosItIsTheOneOfBefore) {
    Measurement before, now;
    before.protocol = now.protocol = "hf";
    now.bos = Bos::never;
    EXPECT_TRUE(now == before);
    EXPECT_TRUE(now.matches(before, Measurement::kAll));
    EXPECT_EQ(now.rules_text(), "");
    now.bos = Bos::each_window;
    EXPECT_FALSE(now == before);
    EXPECT_EQ(now.rules_text(), ", BOS each-window");
    before.protocol = now.protocol = "yarn";
    EXPECT_TRUE(now == before);
    EXPECT_EQ(now.rules_text(), "");
    now.bos = Bos::never;
    now.truncate = true;
    now.min_document_tokens = 16384;
    EXPECT_EQ(now.rules_text(), ", BOS never, one window a document, documents of 16,384 tokens or more");
}

TEST(Measurement, NoPartRunsIntoTheNext) {
    Measurement a, b;
    a.checkpoint = "1";
    b.data = "1";
    EXPECT_NE(a.key(), b.key());
}

TEST(Measurement, HowIsSaidInWords) {
    Measurement m;
    m.length = m.stride = 1024;
    m.split = "valid";
    EXPECT_EQ(m.text(), "length 1024, protocol paper, valid split");
    m.stride = 256;
    m.within_documents = true;
    m.max_stream_tokens = 5000;
    m.dtype = "bf16";
    EXPECT_EQ(m.text(),
              "length 1024, stride 256, protocol paper, valid split, within documents, first 5,000 tokens, bf16");
}

}  // namespace
}  // namespace longbow
