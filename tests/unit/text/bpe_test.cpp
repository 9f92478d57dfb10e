// Tests byte-level BPE against its definition: splitting into words, merging, learning, and reading its files.
#include <gmock/gmock.h>

#include "longbow/core/hash.h"
#include "random_text.h"
#include "scratch.h"
#include "text/bpe_tokenizer.h"
#include "text/bpe_trainer.h"
#include "text/pretokenize.h"

namespace longbow {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> words(std::string_view text) {
    std::vector<std::string> found;
    for_each_word(text, [&](std::string_view word) { found.emplace_back(word); });
    return found;
}

WordCounts counts_of(std::string_view text) {
    WordCounts counts;
    for_each_word(text, [&](std::string_view word) { counts.add(word); });
    return counts;
}

std::vector<TokenId> encode(const Tokenizer& tokenizer, std::string_view text) {
    std::vector<TokenId> ids;
    tokenizer.encode(text, ids);
    return ids;
}

// Merges exactly by the rule's words: one pair at a time, the one of lowest rank, the leftmost of equals.
std::vector<TokenId> slow_encode(const BpeModel& model, std::string_view text) {
    std::vector<TokenId> ids;
    for (const auto& word : words(text)) {
        std::vector<TokenId> symbols;
        for (const char byte : word) symbols.push_back(model.byte_ids[static_cast<unsigned char>(byte)]);
        while (true) {
            std::size_t best = model.merges.size(), at = 0;
            for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
                for (std::size_t rank = 0; rank < best; ++rank) {
                    if (model.merges[rank].left == symbols[i] && model.merges[rank].right == symbols[i + 1]) {
                        best = rank;
                        at = i;
                    }
                }
            }
            if (best == model.merges.size()) break;
            symbols[at] = model.merges[best].result;
            symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(at) + 1);
        }
        ids.insert(ids.end(), symbols.begin(), symbols.end());
    }
    return ids;
}

TEST(PretokenizeTest, FollowsTheGpt2Pattern) {
    EXPECT_THAT(words("Hello, world!  It's 42\n\n x"),
                ElementsAre("Hello", ",", " world", "!", " ", " It", "'s", " 42", "\n\n", " x"));
    EXPECT_THAT(words("don't'll've 'tis ''re"), ElementsAre("don", "'t", "'ll", "'ve", " '", "tis", " ''", "re"));
    EXPECT_THAT(words("a \n"), ElementsAre("a", " \n"));
    EXPECT_THAT(words("a\n\nb"), ElementsAre("a", "\n", "\n", "b"));
    EXPECT_THAT(words("x\xC2\xA0\xC2\xA0y"), ElementsAre("x", "\xC2\xA0", "\xC2\xA0", "y"));
    EXPECT_THAT(words("1\xC2\xBD\xE4\xB8\xAD!\xCC\x81"), ElementsAre("1\xC2\xBD", "\xE4\xB8\xAD", "!\xCC\x81"));
}

// The classes of all code points are pinned: another version of utf8proc that disagrees would give other ids without
// any error.
TEST(PretokenizeTest, ClassesArePinned) {
    std::string classes;
    for (char32_t c = 0; c < 0x110000; ++c) classes += static_cast<char>('0' + static_cast<int>(char_class(c)));
    EXPECT_EQ(fingerprint(classes), "xxh3:52a0e7f05da2cd0f");
}

TEST(BpeTest, LearnsTheMostFrequentPairsFirst) {
    WordCounts counts;
    counts.add("low", 5);
    counts.add("lower", 2);
    counts.add("newest", 6);
    counts.add("widest", 3);
    const auto model = train_bpe(counts, 256 + 5 + 1);
    EXPECT_EQ(format_merges(model), "#version: 0.2\ne s\nes t\nl o\nlo w\ne w\n");
    EXPECT_EQ(model.names.back(), "<|endoftext|>");
    EXPECT_EQ(model.boundary, 261U);
    EXPECT_EQ(model.bytes[257], "est");
}

TEST(BpeTest, AVocabularyThatDoesNotFitIsNamed) {
    WordCounts counts;
    counts.add("ab", 5);
    EXPECT_THAT(data_error([&] { train_bpe(counts, 256); }), HasSubstr("does not fit"));
    EXPECT_THAT(data_error([&] { train_bpe(counts, std::int64_t{1} << 32); }), HasSubstr("does not fit"));
    EXPECT_EQ(train_bpe(counts, 258).merges.size(), 1U);
    EXPECT_THAT(data_error([&] { train_bpe(counts, 259); }), HasSubstr("at most 258 tokens, but 259"));
}

class BpeProperties : public ::testing::Test {
protected:
    BpeProperties() {
        Random random(11);
        std::string text;
        for (int i = 0; i < 300; ++i) text += random_text(random, 60);
        for (int i = 0; i < 4000; ++i) text += " aaaaaa"[random.below(7)], text += "eat"[random.below(3)];
        tokenizer_ = std::make_unique<BpeTokenizer>(train_bpe(counts_of(text), 900));
    }
    std::unique_ptr<BpeTokenizer> tokenizer_;
};

TEST_F(BpeProperties, DecodingGivesTheTextBack) {
    Random random(12);
    for (int i = 0; i < 500; ++i) {
        const auto text = random_text(random, random.below(80));
        EXPECT_EQ(tokenizer_->decode(encode(*tokenizer_, text)), text);
    }
    const std::string invalid = "a\xFF\xC3 \x80z\xED\xA0\x80";
    EXPECT_EQ(tokenizer_->decode(encode(*tokenizer_, invalid)), invalid);
    EXPECT_EQ(tokenizer_->decode(encode(*tokenizer_, "<|endoftext|>")), "<|endoftext|>");
    for (const auto id : encode(*tokenizer_, "<|endoftext|>")) EXPECT_NE(id, tokenizer_->boundary());
}

TEST_F(BpeProperties, ShortAndLongWordsMergeByTheSameRule) {
    Random random(13);
    const auto files = tokenizer_->files();
    const auto model = parse_bpe(files.at("vocab.json"), "v", files.at("merges.txt"), "m");
    for (int i = 0; i < 60; ++i) {
        std::string text;
        for (auto n = random.below(200); n > 0; --n) text += "aaeth"[random.below(5)];
        EXPECT_EQ(encode(*tokenizer_, text), slow_encode(model, text));
        text = random_text(random, 30);
        EXPECT_EQ(encode(*tokenizer_, text), slow_encode(model, text));
    }
    EXPECT_EQ(tokenizer_->decode(encode(*tokenizer_, std::string(100'000, 'a'))), std::string(100'000, 'a'));
}

TEST_F(BpeProperties, TheCacheForgetsButDoesNotErr) {
    // More distinct words than the cache holds, twice.
    std::string text;
    for (int i = 0; i < 40'000; ++i) text += " " + std::to_string(i * 7919);
    const auto ids = encode(*tokenizer_, text);
    EXPECT_EQ(encode(*tokenizer_, text), ids);
    EXPECT_EQ(tokenizer_->decode(ids), text);
}

class BpeFiles : public ::testing::Test {
protected:
    BpeFiles() {
        WordCounts counts;
        counts.add("abc", 5);
        const auto model = train_bpe(counts, 259);
        vocab_ = format_vocab_json(model);
        merges_ = format_merges(model);
    }
    std::string message(const std::string& vocab, const std::string& merges) {
        return data_error([&] { parse_bpe(vocab, "vocab.json", merges, "merges.txt"); });
    }
    static std::string replaced(std::string text, const std::string& from, const std::string& to) {
        EXPECT_NE(text.find(from), std::string::npos);
        return text.replace(text.find(from), from.size(), to);
    }
    std::string vocab_, merges_;
};

TEST_F(BpeFiles, ReadBack) {
    const auto model = parse_bpe(vocab_, "v", merges_, "m");
    EXPECT_EQ(format_vocab_json(model), vocab_);
    EXPECT_EQ(format_merges(model), merges_);
    EXPECT_EQ(model.bytes[model.byte_ids[0]], std::string(1, '\0'));
    // Without the version line, with Windows line ends and an empty last line.
    EXPECT_EQ(parse_bpe(vocab_, "v", "a b\r\nab c\r\n\r\n", "m").merges.size(), 2U);
}

TEST_F(BpeFiles, AByteOrderMarkIsNoPartOfThem) {
    const std::string mark = "\xEF\xBB\xBF";
    for (const std::string& merges : {mark + merges_, mark + "a b\r\nab c\r\n"}) {
        const auto model = parse_bpe(mark + vocab_, "v", merges, "m");
        EXPECT_EQ(format_vocab_json(model), vocab_);
        EXPECT_EQ(format_merges(model), merges_);
    }
    EXPECT_THAT(message(std::string("\xFF\xFE{\0", 4), merges_),
                HasSubstr("vocab.json: begins with the byte order mark of UTF-16"));
    EXPECT_THAT(message(vocab_, std::string("\xFE\xFF\0a", 4)),
                HasSubstr("merges.txt: begins with the byte order mark of UTF-16"));
    EXPECT_THAT(message(vocab_ + std::string("\0{\"lost\": 1}", 12), merges_), HasSubstr("is NUL"));
    EXPECT_THAT(message(vocab_, merges_ + std::string("\0a b\n", 5)), HasSubstr("is NUL"));
}

TEST_F(BpeFiles, MistakesAreNamed) {
    EXPECT_THAT(message("[1]", merges_), HasSubstr("vocab.json: a list where"));
    EXPECT_THAT(message("{\"a\": ", merges_), HasSubstr("vocab.json: not JSON at byte"));
    EXPECT_THAT(message("{\"a\": {}}", merges_), HasSubstr("an object"));
    EXPECT_THAT(message("{\"a\": -1}", merges_), HasSubstr("-1"));
    EXPECT_THAT(message("{\"a\": 0}", merges_), HasSubstr("no token for byte 0x00"));
    EXPECT_THAT(message(replaced(vocab_, "\"abc\": 257", "\"abc\": 4294967296"), merges_),
                HasSubstr("has id 4294967296"));
    EXPECT_THAT(message(replaced(vocab_, "\"abc\": 257", "\"abc\": 256"), merges_),
                HasSubstr("id 256 is written twice"));
    EXPECT_THAT(message(replaced(vocab_, "\"abc\": 257", "\"ab\": 257"), merges_),
                HasSubstr("\"ab\" is written twice"));
    EXPECT_THAT(message(replaced(vocab_, "<|endoftext|>", "<end>"), merges_),
                HasSubstr("neither <|endoftext|> nor </s>"));
    EXPECT_THAT(message(vocab_, "a b\nab\n"), HasSubstr("merges.txt:2: two tokens"));
    EXPECT_THAT(message(vocab_, "a b\nab c d\n"), HasSubstr("merges.txt:2: two tokens"));
    EXPECT_THAT(message(vocab_, "a b\n\nab c\n"), HasSubstr("merges.txt:2: two tokens"));
    EXPECT_THAT(message(vocab_, "a b\na zz\n"), HasSubstr("merges.txt:2: \"zz\" is not in vocab.json"));
    EXPECT_THAT(message(vocab_, "a b\na c\n"), HasSubstr("merges.txt:2: \"ac\" is not in"));
    EXPECT_THAT(message(vocab_, "a b\nab c\na b\n"), HasSubstr("merges.txt:3: this merge is written twice"));
}

}  // namespace
}  // namespace longbow
