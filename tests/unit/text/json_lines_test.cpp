// Tests the reading of JSON lines: which files they are, what text they give, and what is refused.
#include "longbow/text/json_lines.h"

#include <gmock/gmock.h>
#include <zlib.h>

#include <algorithm>

#include "longbow/core/json.h"
#include "longbow/text/tokenizer.h"
#include "random_text.h"
#include "scratch.h"

namespace longbow {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> texts(std::string_view lines, const std::string& key = "text", std::int64_t first_line = 1) {
    std::vector<std::string> found;
    for_each_json_text(lines, first_line, "f.jsonl", key, [&](std::string_view text) { found.emplace_back(text); });
    return found;
}

std::string problem(const std::string& lines, std::int64_t first_line = 1) {
    return data_error([&] { (void)texts(lines, "text", first_line); });
}

TEST(JsonLines, AreKnownByName) {
    for (const char* name : {"a.jsonl", "a.jsonl.gz", "x/a.b.jsonl.zst", "a.json.xz", "a.ndjson", "a.json"})
        EXPECT_TRUE(is_json_lines(name)) << name;
    for (const char* name : {"a.txt", "a.txt.gz", "jsonl", "a.jsonl.bz2", "a.jsonl.txt", "a.gz", "a.jsonl/b"})
        EXPECT_FALSE(is_json_lines(name)) << name;
}

TEST(JsonLines, GiveTheStringUnderTheKey) {
    EXPECT_THAT(texts(R"({"text": "one\n\"two\"", "meta": {"text": "no", "n": [1, {"text": 2}]}, "x": null})"
                      "\n\r\n  \n"
                      R"({"id": 1.5e3, "text": "\u00e9\ud83d\ude00é"})"
                      "\r\n"
                      R"({"text": ""})"),
                ElementsAre("one\n\"two\"", "\xC3\xA9\xF0\x9F\x98\x80\xC3\xA9", ""));
    EXPECT_THAT(texts(R"({"text": 1, "content": "c"})", "content"), ElementsAre("c"));
    EXPECT_TRUE(texts("").empty());
}

TEST(JsonLines, RefuseANulAndKeepOneThatIsWrittenOut) {
    const auto with_nul = [](std::string text) {
        std::replace(text.begin(), text.end(), '~', '\0');
        return text;
    };
    const std::string good = "{\"text\": \"x\"}\n";
    EXPECT_THAT(problem(good + with_nul("{\"text\":\"first\"}~{\"text\":\"lost\"}\n") + good),
                HasSubstr("f.jsonl: line 2: not JSON: byte 17 is NUL"));
    EXPECT_THAT(problem(with_nul("{\"text\":\"first\"}~")), HasSubstr("line 1: not JSON: byte 17 is NUL"));
    EXPECT_THAT(problem(with_nul("{\"text\":\"a~b\"}")), HasSubstr("line 1: not JSON: byte 11 is NUL"));
    EXPECT_THAT(problem(good + with_nul("~~~~")), HasSubstr("line 2: not JSON: byte 1 is NUL"));
    EXPECT_THAT(texts("{\"text\":\"a\\u0000b\"}"), ElementsAre(with_nul("a~b")));
}

TEST(JsonLines, TakePythonsNumbersUnderOtherKeys) {
    EXPECT_THAT(
        texts(
            "{\"score\": NaN, \"text\": \"NaN\", \"l\": [Infinity, -Infinity], \"NaN\": {\"x\": NaN}}\n{\"text\":\"a \\\" NaN\",\"s\":NaN}"),
        ElementsAre("NaN", "a \" NaN"));
    EXPECT_THAT(problem("{\"text\": NaN}"), HasSubstr("the key \"text\" holds a number where a string"));
    EXPECT_THAT(problem("NaN"), HasSubstr("holds a number where an object"));
    for (const char* line :
         {"{\"s\": NaNa, \"text\": \"x\"}", "{\"s\": -NaN, \"text\": \"x\"}", "{\"s\": nan, \"text\": \"x\"}",
          "{\"s\": 1NaN, \"text\": \"x\"}", "{NaN: 1, \"text\": \"x\"}", "{\"s\": InfinityNaN, \"text\": \"x\"}"}) {
        EXPECT_THAT(problem(line), HasSubstr("line 1: not JSON")) << line;
    }
}

TEST(JsonLines, NameFileAndLineOfWhatIsWrong) {
    const std::string good = "{\"text\": \"x\"}\n";
    EXPECT_THAT(problem(good + good + "{\"text\": \"x\n"), HasSubstr("f.jsonl: line 3: not JSON: byte "));
    EXPECT_THAT(problem(good + "\n{\"other\": \"x\"}", 100),
                HasSubstr("f.jsonl: line 102: the object has no key \"text\""));
    EXPECT_THAT(problem("[\"x\"]"), HasSubstr("line 1: holds a list where an object should be"));
    EXPECT_THAT(problem("\"x\""), HasSubstr("holds a string where"));
    EXPECT_THAT(problem("7"), HasSubstr("holds a number where"));
    EXPECT_THAT(problem("{\"text\": 5}"), HasSubstr("the key \"text\" holds a number where a string"));
    EXPECT_THAT(problem("{\"text\": null}"), HasSubstr("holds null where a string"));
    EXPECT_THAT(problem("{\"text\": [\"x\"]}"), HasSubstr("holds a list where a string"));
    EXPECT_THAT(problem("{\"text\": {\"text\": \"x\"}}"), HasSubstr("holds an object where a string"));
    EXPECT_THAT(problem("{\"text\": \"a\", \"text\": \"b\"}"), HasSubstr("is written twice"));
    EXPECT_THAT(problem("{\"text\": \"a\"} {\"text\": \"b\"}"), HasSubstr("not JSON"));
    EXPECT_THAT(problem("{\"text\": \"\\ud800\"}"), HasSubstr("not JSON"));
    EXPECT_THAT(problem("{\"text\": \"\xFF\"}"), HasSubstr("not JSON"));
    // A long document is not repeated in the message, and a deeply nested one needs no stack.
    EXPECT_LT(problem("{\"text\": \"" + std::string(100000, 'x')).size(), 300U);
    EXPECT_THAT(problem("{\"a\": " + std::string(1000000, '[')), HasSubstr("not JSON"));
}

class LineReaderTest : public Scratch {
protected:
    static std::vector<std::string> blocks(const std::string& path, std::size_t size) {
        LineReader reader(path, size);
        std::vector<std::string> found;
        std::int64_t line = 1;
        std::int64_t first = 0;
        for (std::string block; reader.next(block, first);) {
            EXPECT_EQ(first, line);
            line += std::count(block.begin(), block.end(), '\n');
            found.push_back(block);
        }
        return found;
    }
};

TEST_F(LineReaderTest, BlocksAreWholeLinesAndAllOfThem) {
    Random random(5);
    std::string text;
    for (int i = 0; i < 3000; ++i)
        text += std::string(random.below(20) == 0 ? random.below(5000) : random.below(60), 'x') + "\n";
    text += "the last has no end";
    const auto path = write("a.jsonl", text);
    for (const std::size_t size : {64U, 1000U, 100000U, 10000000U}) {
        std::string joined;
        for (const auto& block : blocks(path, size)) {
            joined += block;
            EXPECT_TRUE(block.back() == '\n' || joined.size() == text.size());
            // A block has as many lines as fit, or one that does not fit.
            EXPECT_TRUE(block.size() <= size || std::count(block.begin(), block.end() - 1, '\n') <= 1 || size < 5000)
                << block.size();
        }
        EXPECT_EQ(joined, text);
    }
    EXPECT_TRUE(blocks(write("empty.jsonl", ""), 100).empty());
    EXPECT_THAT(blocks(write("one.jsonl", std::string(1000, 'y')), 100), ElementsAre(std::string(1000, 'y')));
}

TEST_F(LineReaderTest, InvalidUtf8IsNamedByLine) {
    const auto path = write("bad.jsonl", "{\"text\": \"a\"}\n{\"text\": \"\xFF\"}\n");
    EXPECT_THAT(data_error([&] { blocks(path, 100); }), HasSubstr("bad.jsonl: byte 24 (line 2)"));
}

// A vocabulary from JSON lines equals that of the same documents as files: words do not run from one document into the
// next.
TEST_F(LineReaderTest, VocabulariesLearnTheTexts) {
    Random random(6);
    std::vector<std::string> files;
    std::string lines;
    for (int i = 0; i < 40; ++i) {
        const auto text = random_text(random, 300);
        files.push_back(write("doc" + std::to_string(i), text));
        lines += Json{{"id", i}, {"body", text}}.dump() + "\n";
    }
    const auto jsonl = write("all.jsonl", lines);
    for (const char* kind : {"bpe", "word"}) {
        TokenizerConfig config;
        config.kind = kind;
        config.vocab_size = 320;
        EXPECT_EQ(train_tokenizer(config, {jsonl}, 2, "body")->fingerprint(),
                  train_tokenizer(config, files, 2)->fingerprint())
            << kind;
        EXPECT_THAT(data_error([&] { (void)train_tokenizer(config, {jsonl}, 2); }),
                    HasSubstr("all.jsonl: line 1: the object has no key \"text\""));
    }
}

}  // namespace
}  // namespace longbow
