// Tests that stores are read back as they were written, that streams in memory give the same, and that damaged stores
// are refused by name.
#include <gmock/gmock.h>

#include "longbow/core/error.h"
#include "longbow/core/hash.h"
#include "longbow/data/memory_stream.h"
#include "longbow/data/token_store.h"
#include "longbow/prepare/text_stream.h"
#include "store_fixture.h"

namespace longbow {
namespace {

using test::ByteTokenizer;
using test::LineTokenizer;
using test::PairTokenizer;
using testing::HasSubstr;

class TokenStoreTest : public test::StoreTest {
protected:
    static std::vector<std::int64_t> ids_of(const TokenStream& stream, std::int64_t begin = 0,
                                            std::int64_t count = -1) {
        std::vector<std::int64_t> ids(static_cast<std::size_t>(count < 0 ? stream.size() : count));
        stream.read(begin, static_cast<std::int64_t>(ids.size()), ids.data());
        return ids;
    }

    static std::string error_of(const std::function<void()>& work) {
        try {
            work();
        } catch (const DataError& error) {
            return error.what();
        }
        return "no DataError";
    }
};

TEST_F(TokenStoreTest, GivesBackTheIdsInAnySpanOverShards) {
    const std::vector<std::string> files = {write_text("a.txt", random_text(3000, 1)),
                                            write_text("b.txt", random_text(20, 2))};
    for (const bool wide : {false, true}) {
        std::unique_ptr<Tokenizer> tokenizer;
        if (wide) {
            tokenizer = std::make_unique<PairTokenizer>();
        } else {
            tokenizer = std::make_unique<ByteTokenizer>();
        }
        std::vector<TokenId> expected;
        for (const auto& file : files) {
            tokenizer->encode(read_file(file), expected);
            expected.push_back(256);
        }
        const auto manifest = write_store(folder_ / "store", *tokenizer, files, DataConfig(), 2, 1000);
        EXPECT_EQ(manifest.id_bytes, wide ? 4 : 2);
        EXPECT_GT(manifest.splits[0].shards.size(), 10U);
        const TokenStore store(folder_ / "store");
        const auto& stream = store.split("train");
        ASSERT_EQ(stream.size(), static_cast<std::int64_t>(expected.size()));
        EXPECT_EQ(ids_of(stream), std::vector<std::int64_t>(expected.begin(), expected.end()));
        Random random(3);
        for (int i = 0; i < 200; ++i) {
            const auto begin = static_cast<std::int64_t>(random.below(expected.size()));
            const auto count =
                static_cast<std::int64_t>(random.below(expected.size() - static_cast<std::size_t>(begin) + 1));
            ASSERT_EQ(ids_of(stream, begin, count),
                      std::vector<std::int64_t>(expected.begin() + begin, expected.begin() + begin + count));
        }
        EXPECT_EQ(stream.document_ends().size(), 2U);
        EXPECT_EQ(stream.document_ends().back(), stream.size());
        EXPECT_EQ(stream.boundary(), 256U);
        fs::remove_all(folder_ / "store");
    }
}

TEST_F(TokenStoreTest, BytesDoNotDependOnThreads) {
    // More text than one chunk holds, so that several are encoded at once.
    const std::vector<std::string> files = {write_text("a.txt", random_text(300000, 1)),
                                            write_text("b.txt", random_text(1000, 2))};
    DataConfig documents;
    documents.documents = DocumentRule::blank_line;
    write_store(folder_ / "one", PairTokenizer(), files, documents, 1, 1 << 20);
    write_store(folder_ / "four", PairTokenizer(), files, documents, 4, 1 << 20);
    int compared = 0;
    for (const auto& entry : fs::directory_iterator(folder_ / "one")) {
        EXPECT_EQ(fingerprint_file(entry.path()), fingerprint_file(folder_ / "four" / entry.path().filename()))
            << entry.path();
        ++compared;
    }
    EXPECT_GE(compared, 5);
}

TEST_F(TokenStoreTest, CountsBytesAndWordsExactlyAtMarks) {
    const std::string text = random_text(20000, 5);
    const PairTokenizer tokenizer;
    write_store(folder_ / "store", tokenizer, {write_text("a.txt", text)}, DataConfig(), 1, 1 << 20);
    const TokenStore store(folder_ / "store");
    const auto& stream = store.split("train");
    const auto ids = ids_of(stream);
    for (std::int64_t mark = 0; mark < stream.size(); mark += 4096) {
        const auto prefix = tokenizer.decode({ids.begin(), ids.begin() + mark});
        ASSERT_EQ(stream.bytes_before(mark), static_cast<double>(prefix.size()));
        std::int64_t words = 0;
        for (std::size_t i = 0; i < prefix.size(); ++i)
            words += prefix[i] > ' ' && (i == 0 || (prefix[i - 1] == ' ' || prefix[i - 1] == '\n')) ? 1 : 0;
        // prefix[i] > ' ' is false for the bytes of é and €, which never start a word in this text.
        ASSERT_EQ(stream.words_before(mark), static_cast<double>(words));
    }
    EXPECT_EQ(stream.bytes_before(stream.size()), static_cast<double>(text.size()));
    EXPECT_EQ(stream.words_before(stream.size()), 20000.0);
    const double between = stream.bytes_before(5000);
    EXPECT_GT(between, stream.bytes_before(4096));
    EXPECT_LT(between, stream.bytes_before(8192));
}

TEST_F(TokenStoreTest, CountsOfLineTokenizersAreExactInWordsAndCloseInBytes) {
    const std::string text = random_text(20000, 6);
    const LineTokenizer tokenizer;
    write_store(folder_ / "store", tokenizer, {write_text("a.txt", text)}, DataConfig(), 1, 1 << 20);
    const TokenStore store(folder_ / "store");
    const auto& stream = store.split("train");
    EXPECT_EQ(stream.words_before(8192), 8192.0);
    EXPECT_EQ(stream.bytes_before(stream.size()), static_cast<double>(text.size()));
    std::int64_t token = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool starts = text[i] != ' ' && text[i] != '\n' && (i == 0 || text[i - 1] == ' ' || text[i - 1] == '\n');
        if (!starts && text[i] != '\n') continue;
        if (token % 4096 == 0) {
            EXPECT_NEAR(stream.bytes_before(token), static_cast<double>(i), 400) << token;
        }
        ++token;
    }
    EXPECT_EQ(token + 1, stream.size());  // the last line has no newline but ends all the same
}

TEST_F(TokenStoreTest, MemoryStreamEqualsTheStore) {
    const std::vector<std::string> files = {write_text("a.txt", random_text(5000, 7)),
                                            write_text("b.txt", random_text(3000, 8))};
    for (const auto rule : {DocumentRule::file, DocumentRule::line, DocumentRule::blank_line}) {
        DataConfig documents;
        documents.documents = rule;
        write_store(folder_ / name_of(rule), PairTokenizer(), files, documents, 1, 1 << 20);
        const TokenStore store(folder_ / name_of(rule));
        const auto& stored = store.split("train");
        const auto memory = stream_of_text(PairTokenizer(), files, documents, 2);
        EXPECT_EQ(ids_of(*memory), ids_of(stored));
        EXPECT_EQ(memory->document_ends(), stored.document_ends());
        EXPECT_EQ(memory->fingerprint(), stored.fingerprint());
        EXPECT_EQ(memory->boundary(), stored.boundary());
        for (std::int64_t end = 0; end < memory->size(); end += 4096)
            EXPECT_EQ(memory->bytes_before(end), stored.bytes_before(end));
        EXPECT_EQ(memory->bytes_before(memory->size()), stored.bytes_before(stored.size()));
        EXPECT_EQ(memory->words_before(memory->size()), stored.words_before(stored.size()));
    }
    const auto memory = stream_of_text(PairTokenizer(), files, DataConfig(), 1);
    EXPECT_EQ(memory->bytes_before(memory->document_ends()[0]), static_cast<double>(fs::file_size(files[0])));
}

TEST_F(TokenStoreTest, InputsAreTheStreamShiftedByOne) {
    const auto stream = stream_of_ids({5, 6, 7, 8}, 2);
    std::vector<std::int64_t> inputs(4);
    read_inputs(*stream, 0, 4, inputs.data());
    EXPECT_EQ(inputs, (std::vector<std::int64_t>{2, 5, 6, 7}));
    read_inputs(*stream, 2, 2, inputs.data());
    EXPECT_EQ(inputs[0], 6);
    EXPECT_EQ(inputs[1], 7);
    EXPECT_EQ(stream->bytes_before(3), 3.0);
}

TEST_F(TokenStoreTest, RefusesSpansOutsideAndUnknownSplits) {
    write_store(folder_ / "store", ByteTokenizer(), {write_text("a.txt", "some text")}, DataConfig(), 1, 1000);
    const TokenStore store(folder_ / "store");
    const auto& stream = store.split("train");
    std::int64_t id = 0;
    EXPECT_THROW(stream.read(stream.size(), 1, &id), DataError);
    EXPECT_THROW(stream.read(-1, 1, &id), DataError);
    EXPECT_THROW(stream.read(1, INT64_MAX, &id), DataError);
    EXPECT_THROW((void)stream.bytes_before(stream.size() + 1), DataError);
    EXPECT_THAT(error_of([&] { (void)store.split("valid"); }), HasSubstr("it has train"));
    EXPECT_THAT(error_of([&] { const TokenStore none(folder_ / "nowhere"); }), HasSubstr("longbow prepare"));
    EXPECT_THAT(error_of([&] { const TokenStore none(folder_); }), HasSubstr("not a token store"));
    EXPECT_THROW((void)stream_of_ids({}, 0), DataError);
}

TEST_F(TokenStoreTest, NamesADamagedFile) {
    const auto store = folder_ / "store";
    const auto text = write_text("a.txt", random_text(6000, 9));
    write_store(store, ByteTokenizer(), {text}, DataConfig(), 1, 20000);
    const auto flip = [&](const std::string& name, std::size_t at, char mask) {
        auto bytes = read_file(store / name);
        bytes[at] = static_cast<char>(bytes[at] ^ mask);
        write_file_atomic(store / name, bytes);
    };
    const auto open = [&] { (void)TokenStore(store); };

    flip("train-00001.bin", 100, 1);  // another id of the vocabulary, which only the checksum shows
    EXPECT_NO_THROW(open());
    EXPECT_THAT(error_of([&] { TokenStore(store).verify(); }), HasSubstr("train-00001.bin"));
    flip("train-00001.bin", 100, 1);

    flip("train-00001.bin", 101, 0x40);  // outside the vocabulary
    std::int64_t ids[2];
    EXPECT_THAT(error_of([&] { TokenStore(store).split("train").read(10050, 1, ids); }),
                HasSubstr("outside the vocabulary"));
    flip("train-00001.bin", 101, 0x40);

    flip("train.documents.bin", 0, 1);
    EXPECT_THAT(error_of([&] { (void)TokenStore(store).split("train").document_ends(); }),
                HasSubstr("train.documents.bin"));
    flip("train.documents.bin", 0, 1);

    flip("manifest.json", read_file(store / "manifest.json").find("fake"), 1);
    EXPECT_THAT(error_of(open), HasSubstr("manifest.json: its checksum"));
    flip("manifest.json", read_file(store / "manifest.json").find("gake"), 1);

    fs::resize_file(store / "train-00002.bin", 1998);
    EXPECT_THAT(error_of(open), HasSubstr("train-00002.bin: 1,998 bytes"));
    fs::remove(store / "train-00002.bin");
    EXPECT_THAT(error_of(open), HasSubstr("train-00002.bin"));
    write_file_atomic(store / "manifest.json", "{\"format\": ");
    EXPECT_THAT(error_of(open), HasSubstr("not JSON"));
}

TEST_F(TokenStoreTest, RefusesManifestsThatContradictThemselves) {
    const auto manifest = write_store(folder_ / "store", ByteTokenizer(), {write_text("a.txt", random_text(100, 9))},
                                      DataConfig(), 1, 200);
    const Json good = manifest_json(manifest);
    EXPECT_NO_THROW(parse_manifest(good, "m"));
    const auto broken = [&](const std::function<void(Json&)>& change) {
        Json json = good;
        change(json);
        return error_of([&] { (void)parse_manifest(json, "m"); });
    };
    EXPECT_THAT(broken([](Json& j) { j["format"] = "other"; }), HasSubstr("not the manifest"));
    EXPECT_THAT(broken([](Json& j) { j["version"] = 2; }), HasSubstr("format version 2"));
    EXPECT_THAT(broken([](Json& j) { j.erase("tokenizer"); }), HasSubstr("tokenizer is missing"));
    EXPECT_THAT(broken([](Json& j) { j["tokenizer"]["boundary"] = 257; }), HasSubstr("boundary is out of range"));
    EXPECT_THAT(broken([](Json& j) { j["tokenizer"]["vocab_size"] = -1; }), HasSubstr("vocab_size is out of range"));
    EXPECT_THAT(broken([](Json& j) { j["id_bytes"] = 4; }), HasSubstr("id_bytes"));
    EXPECT_THAT(broken([](Json& j) { j["documents"] = "page"; }), HasSubstr("documents must be"));
    EXPECT_THAT(broken([](Json& j) { j["splits"] = Json::object(); }), HasSubstr("no split"));
    EXPECT_THAT(broken([](Json& j) { j["splits"]["../x"] = j["splits"]["train"]; }), HasSubstr("a split has a name"));
    EXPECT_THAT(broken([](Json& j) { j["splits"]["train"]["tokens"] = "9"; }),
                HasSubstr("splits.train: tokens must be a whole number"));
    EXPECT_THAT(broken([](Json& j) { j["splits"]["train"]["tokens"] = UINT64_MAX; }), HasSubstr("out of range"));
    EXPECT_THAT(broken([](Json& j) { j["splits"]["train"]["tokens"] = 5; }), HasSubstr("tokens does not fit"));
    EXPECT_THAT(broken([](Json& j) { j["splits"]["train"]["documents"] = 0; }), HasSubstr("documents does not fit"));
    EXPECT_THAT(broken([](Json& j) { j["splits"]["train"]["cumulative"]["bytes"] = 16; }),
                HasSubstr("cumulative.bytes"));
    EXPECT_THAT(broken([](Json& j) { j["splits"]["train"]["shards"][0]["file"] = "../../etc/passwd"; }),
                HasSubstr("must be called train-00000.bin"));
    EXPECT_THAT(broken([](Json& j) { j["splits"]["train"]["shards"][1]["bytes"] = 198; }),
                HasSubstr("smaller than the first"));
    EXPECT_THAT(broken([](Json& j) { j["splits"]["train"]["shards"][0]["bytes"] = 199; }), HasSubstr("not a multiple"));
    EXPECT_THAT(broken([](Json& j) { j["splits"]["train"]["shards"] = nullptr; }), HasSubstr("shards must be a list"));
    EXPECT_THAT(error_of([] { (void)parse_manifest(Json::array(), "m"); }), HasSubstr("must be an object"));
}

TEST_F(TokenStoreTest, AnEmptySplitIsAnError) {
    EXPECT_THAT(error_of([&] {
                    write_store(folder_ / "store", ByteTokenizer(), {write_text("a.txt", "")}, DataConfig(), 1, 1000);
                }),
                HasSubstr("the train split has no tokens"));
    EXPECT_THAT(error_of([&] { (void)stream_of_text(ByteTokenizer(), {write_text("a.txt", "")}, DataConfig(), 1); }),
                HasSubstr("no tokens"));
}

TEST_F(TokenStoreTest, WhatGoesWrongInAThreadArrives) {
    const auto good = write_text("good.txt", random_text(300000, 1));
    const auto bad = write_text("bad.txt",
                                "abc\xFF"
                                "def");
    EXPECT_THAT(error_of([&] {
                    (void)stream_of_text(ByteTokenizer(), {good, bad}, DataConfig(), 3);
                }),
                HasSubstr("bad.txt"));
    struct Broken : ByteTokenizer {
        void encode(std::string_view, std::vector<TokenId>& ids) const override { ids.push_back(257); }
    };
    EXPECT_THAT(error_of([&] { (void)stream_of_text(Broken(), {good}, DataConfig(), 3); }),
                HasSubstr("id 257, outside its vocabulary of 257"));
    const ByteTokenizer bytes;
    const std::vector<std::string> files = {good};
    EXPECT_THROW(encode_files({bytes, files, DataConfig(), 3},
                              {[](const EncodedChunk&, const EncodeCursor&) { throw Error("full"); }}),
                 Error);
}

}  // namespace
}  // namespace longbow
