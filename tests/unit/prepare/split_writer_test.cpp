// Tests that a split that is written with stops in between has the bytes of one written at once, wherever the stops
// are, and that JSON lines are documents.
#include "prepare/split_writer.h"

#include <gmock/gmock.h>

#include <map>
#include <optional>

#include "longbow/core/error.h"
#include "longbow/data/token_store.h"
#include "prepare/prepare_state.h"
#include "unit/data/store_fixture.h"
#include "unit/error_of.h"

namespace longbow {
namespace {

using testing::HasSubstr;
using Contents = std::map<std::string, std::string>;

class SplitWriterTest : public test::StoreTest {
protected:
    static Contents contents(const fs::path& folder) {
        Contents found;
        for (const auto& entry : fs::directory_iterator(folder))
            found[entry.path().filename().string()] = read_file(entry.path());
        return found;
    }

    struct Stop {};

    // Writes until `chunks` more chunks have come and then stops without finishing. Returns true if it came to the end.
    static bool write_on(const fs::path& folder, const Tokenizer& tokenizer, const std::vector<std::string>& files,
                         const DataConfig& documents, std::uint64_t shard_tokens, int chunks, int threads, Json& state,
                         EncodeCursor& cursor, std::vector<Source>& sources) {
        std::optional<SplitWriter> writer;
        if (state.is_null()) {
            writer.emplace(folder, "train", tokenizer, shard_tokens);
        } else {
            writer.emplace(folder, "train", tokenizer, shard_tokens, Json::parse(state.dump()));
        }
        int left = chunks;
        auto saved_sources = sources;
        try {
            encode_files({tokenizer, files, documents, threads, cursor},
                         {[&](const EncodedChunk& chunk, const EncodeCursor& after) {
                              writer->add(chunk);
                              if (--left == 0) {
                                  state = writer->save();
                                  cursor = after;
                                  sources = saved_sources;
                              }
                              if (left < -1) throw Stop();  // what came after the saved state is lost
                          },
                          [&](std::size_t, const Source& source) { saved_sources.push_back(source); }});
        } catch (const Stop&) {
            return false;
        }
        write_manifest(folder, tokenizer, documents, writer->finish(std::move(saved_sources)));
        return true;
    }
};

TEST_F(SplitWriterTest, StopsAnywhereLeaveNoTrace) {
    std::string json;
    for (int i = 0; i < 3000; ++i) json += Json{{"text", random_text(60, static_cast<std::uint64_t>(i))}}.dump() + "\n";
    const std::vector<std::string> files = {write_text("a.txt", random_text(200000, 1)),
                                            write_text("b.txt", random_text(20, 2)), write_text("c.jsonl", json),
                                            write_text("d.txt", random_text(150000, 3)), write_text("e.txt", "")};
    for (const auto& [rule, line_tokenizer] :
         {std::pair(DocumentRule::file, false), std::pair(DocumentRule::blank_line, false),
          std::pair(DocumentRule::line, true)}) {
        DataConfig documents;
        documents.documents = rule;
        std::unique_ptr<Tokenizer> tokenizer;
        if (line_tokenizer) {
            tokenizer = std::make_unique<test::LineTokenizer>();
        } else {
            tokenizer = std::make_unique<test::PairTokenizer>();
        }
        const auto once = folder_ / ("once-" + std::string(name_of(rule))),
                   often = folder_ / ("often-" + std::string(name_of(rule)));
        for (const auto& folder : {once, often}) fs::create_directories(folder);
        Json state;
        EncodeCursor cursor;
        std::vector<Source> sources;
        ASSERT_TRUE(write_on(once, *tokenizer, files, documents, 50000, 1 << 30, 1, state, cursor, sources));
        int stops = 0;
        state = nullptr;
        for (Random random(9); !write_on(often, *tokenizer, files, documents, 50000,
                                         static_cast<int>(1 + random.below(3)), 2, state, cursor, sources);)
            ++stops;
        EXPECT_GE(stops, 3);
        EXPECT_EQ(contents(once), contents(often)) << name_of(rule);
        EXPECT_GT(contents(once).size(), 10U);
        fs::remove_all(once);
        fs::remove_all(often);
    }
}

TEST_F(SplitWriterTest, WhatWasLostIsNamed) {
    const std::vector<std::string> files = {write_text("a.txt", random_text(200000, 1))};
    const auto folder = folder_ / "store";
    fs::create_directories(folder);
    const test::ByteTokenizer tokenizer;
    Json state;
    EncodeCursor cursor;
    std::vector<Source> sources;
    ASSERT_FALSE(write_on(folder, tokenizer, files, DataConfig(), 1 << 30, 1, 1, state, cursor, sources));
    fs::resize_file(folder / "train-00000.bin", 1000);
    try {
        const SplitWriter writer(folder, "train", tokenizer, 1 << 30, state);
        FAIL();
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("train-00000.bin has lost"));
    }
}

TEST_F(SplitWriterTest, WhatWasChangedIsNamed) {
    const std::vector<std::string> files = {write_text("a.txt", random_text(200000, 1))};
    const test::ByteTokenizer tokenizer;
    for (const char* name : {"train-00000.bin", "train-00003.bin", "train.documents.bin", "train.cumulative.bin"}) {
        const auto folder = folder_ / "work" / "store";
        fs::remove_all(folder);
        fs::create_directories(folder);
        Json state;
        EncodeCursor cursor;
        std::vector<Source> sources;
        DataConfig documents;
        documents.documents = DocumentRule::blank_line;
        ASSERT_FALSE(write_on(folder, tokenizer, files, documents, 50000, 1, 1, state, cursor, sources));
        const auto shards = state.at("shards").size();
        ASSERT_GT(shards, 3U);
        EXPECT_NO_THROW(SplitWriter(folder, "train", tokenizer, 50000, state));
        auto bytes = read_file(folder / name);
        bytes[9] = static_cast<char>(bytes[9] ^ 1);
        write_file_atomic(folder / name, bytes);
        try {
            const SplitWriter writer(folder, "train", tokenizer, 50000, state);
            FAIL() << name;
        } catch (const Error& error) {
            EXPECT_THAT(error.what(),
                        HasSubstr(std::string(name) + " does not contain the bytes that were written to it: remove " +
                                  (folder_ / "work").string() + " to make the store again"));
        }
    }
}

// The version before kept XXH3's private state, which nothing reads any more.
TEST_F(SplitWriterTest, AStateOfTheVersionBeforeIsGoneOnWith) {
    const std::vector<std::string> files = {write_text("a.txt", random_text(200000, 1))};
    const test::PairTokenizer tokenizer;
    const auto once = folder_ / "once", resumed = folder_ / "resumed";
    for (const auto& folder : {once, resumed}) fs::create_directories(folder);
    Json state;
    EncodeCursor cursor;
    std::vector<Source> sources;
    ASSERT_TRUE(write_on(once, tokenizer, files, DataConfig(), 50000, 1 << 30, 1, state, cursor, sources));
    state = nullptr;
    ASSERT_FALSE(write_on(resumed, tokenizer, files, DataConfig(), 50000, 1, 1, state, cursor, sources));
    state["ids"] = "xxh3-802:0123";
    for (const char* file : {"document_ends", "cumulative", "shard"}) {
        EXPECT_EQ(state.at(file).erase("checksum"), 1U) << file;
        state[file]["hash"] = "xxh3-802:0123";
    }
    ASSERT_TRUE(write_on(resumed, tokenizer, files, DataConfig(), 50000, 1 << 30, 1, state, cursor, sources));
    EXPECT_EQ(contents(once), contents(resumed));

    Json saved = state_json(PrepareState());
    for (const auto& [version, taken] :
         {std::pair(1, false), std::pair(2, true), std::pair(3, true), std::pair(4, false)}) {
        saved["version"] = version;
        EXPECT_EQ(test::error_of([&] { parse_state(saved); }), taken ? "no error" : "of another version of longbow")
            << version;
    }
}

TEST_F(SplitWriterTest, JsonLinesAreDocumentsWhateverTheRule) {
    const std::vector<std::string> texts = {"one\n\ntwo", "three", "\xC3\xA9 four five"};
    std::string lines;
    for (const auto& text : texts) lines += Json{{"text", text}}.dump() + "\n\n";
    lines += "{\"text\": \"\"}\n";  // makes no document
    const auto file = write_text("a.jsonl", lines);
    for (const auto rule : {DocumentRule::file, DocumentRule::line, DocumentRule::blank_line}) {
        DataConfig documents;
        documents.documents = rule;
        write_store(folder_ / name_of(rule), test::ByteTokenizer(), {file}, documents, 2, 1000);
        const TokenStore store(folder_ / name_of(rule));
        const auto& stream = store.split("train");
        std::vector<std::int64_t> expected, ends, ids(static_cast<std::size_t>(stream.size()));
        double bytes = 0;
        for (const auto& text : texts) {
            for (const char c : text) expected.push_back(static_cast<unsigned char>(c));
            expected.push_back(256);
            ends.push_back(static_cast<std::int64_t>(expected.size()));
            bytes += static_cast<double>(text.size());
        }
        stream.read(0, stream.size(), ids.data());
        EXPECT_EQ(ids, expected) << name_of(rule);
        EXPECT_EQ(stream.document_ends(), ends);
        EXPECT_EQ(stream.bytes_before(stream.size()), bytes);
        EXPECT_EQ(stream.words_before(stream.size()), 6);  // "two" and "three" are adjoining, but they are two words
    }
}

TEST_F(SplitWriterTest, ABadLineComesAfterAllBeforeIt) {
    const std::vector<std::string> files = {write_text("a.txt", random_text(200000, 1)),
                                            write_text("bad.jsonl", "{\"text\": \"x\"}\n{\"text\": 1}\n"),
                                            write_text("worse.txt", "\xFF")};
    for (const int threads : {1, 2, 5}) {
        std::size_t bytes = 0, through = 0;
        const test::ByteTokenizer tokenizer;
        try {
            encode_files({tokenizer, files, DataConfig(), threads},
                         {[&](const EncodedChunk& chunk, const EncodeCursor&) { bytes += chunk.text.size(); },
                          [&](std::size_t, const Source&) { ++through; }});
            FAIL();
        } catch (const DataError& error) {
            EXPECT_THAT(error.what(), HasSubstr("bad.jsonl: line 2: "));
        }
        EXPECT_EQ(bytes, fs::file_size(files[0]));
        EXPECT_EQ(through, 1U);
    }
}

}  // namespace
}  // namespace longbow
