// Tests what holds for every kind of tokenizer: cuts where safe_split() allows them, saving and loading, threads, and
// errors when it is opened.
#include "longbow/text/tokenizer.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <thread>

#include "longbow/core/files.h"
#include "random_text.h"
#include "scratch.h"

namespace longbow {
namespace {

using ::testing::HasSubstr;

std::vector<TokenId> encode(const Tokenizer& tokenizer, std::string_view text) {
    std::vector<TokenId> ids;
    tokenizer.encode(text, ids);
    return ids;
}

class AnyTokenizer : public Scratch, public ::testing::WithParamInterface<std::string> {
protected:
    // A tokenizer is made once for all tests, because training a sentencepiece model takes a second.
    static const Tokenizer& tokenizer(const std::string& kind) {
        static std::map<std::string, std::unique_ptr<Tokenizer>> made;
        auto& place = made[kind];
        if (place) return *place;
        const auto folder = fs::temp_directory_path() / ("longbow-any-" + std::to_string(::getpid()));
        fs::create_directories(folder);
        Random random(21);
        std::string text;
        for (int i = 0; i < 2000; ++i) text += i % 9 == 0 ? random_text(random, 20) : "the cat sat\non the mat's edge ";
        TokenizerConfig config;
        if (kind.starts_with("wordpiece")) {
            text = "[UNK]\n[SEP]\n";
            for (char c = 'a'; c <= 'z'; ++c) text += std::string(1, c) + "\n##" + c + "\n";
            config.kind = "wordpiece";
            config.file = (folder / "vocab.txt").string();
            config.options["lowercase"] = kind == "wordpiece uncased";
            write_file_atomic(config.file, text);
            place = open_tokenizer(config);
        } else {
            config.kind = kind;
            // sentencepiece needs room for most characters.
            config.vocab_size = kind == "word" ? 0 : kind == "bpe" ? 600 : 2200;
            write_file_atomic(folder / "text", text);
            place = train_tokenizer(config, {(folder / "text").string()}, 2);
        }
        fs::remove_all(folder);
        return *place;
    }
};

TEST_P(AnyTokenizer, CutsWhereItSaysChangeNothing) {
    const auto& t = tokenizer(GetParam());
    Random random(22);
    int cuts = 0;
    for (int i = 0; i < 600; ++i) {
        const auto text = random_text(random, 1 + random.below(60));
        // `seen` is what a reader holds so far; the rest of the text comes later.
        auto seen = random.below(text.size() + 1);
        while (seen < text.size() && (text[seen] & 0xC0) == 0x80) ++seen;
        const auto cut = t.safe_split(std::string_view(text).substr(0, seen));
        ASSERT_LE(cut, seen);
        auto parts = encode(t, std::string_view(text).substr(0, cut));
        t.encode(std::string_view(text).substr(cut), parts);
        ASSERT_EQ(parts, encode(t, text)) << "cut " << cut << " of " << ::testing::PrintToString(text);
        cuts += cut > 0;
    }
    EXPECT_GT(cuts, 100);
}

TEST_P(AnyTokenizer, IsTheSameAfterSavingAndLoading) {
    const auto& t = tokenizer(GetParam());
    save_tokenizer(t, folder_ / "saved");
    const auto loaded = load_tokenizer(folder_ / "saved");
    EXPECT_EQ(loaded->kind(), t.kind());
    EXPECT_EQ(loaded->vocab_size(), t.vocab_size());
    EXPECT_EQ(loaded->boundary(), t.boundary());
    EXPECT_EQ(loaded->fingerprint(), t.fingerprint());
    EXPECT_EQ(loaded->files(), t.files());
    Random random(23);
    const auto text = random_text(random, 500);
    EXPECT_EQ(encode(*loaded, text), encode(t, text));
    for (TokenId id = 0; id < t.vocab_size(); ++id) EXPECT_EQ(loaded->token_text(id), t.token_text(id));
    EXPECT_THAT(data_error([&] { (void)t.token_text(static_cast<TokenId>(t.vocab_size())); }),
                HasSubstr("outside the"));
    // A file that is missing or empty is an error; it must not give another tokenizer.
    for (const auto& [name, contents] : t.files()) {
        fs::remove(folder_ / "saved" / name);
        EXPECT_THAT(data_error([&] { load_tokenizer(folder_ / "saved"); }), HasSubstr(name + " is missing"));
        write_file_atomic(folder_ / "saved" / name, contents);
    }
}

TEST_P(AnyTokenizer, EncodesOnManyThreadsAtOnce) {
    const auto& t = tokenizer(GetParam());
    Random random(24);
    const auto text = random_text(random, 3000);
    const auto expected = encode(t, text);
    std::vector<std::vector<TokenId>> found(4);
    std::vector<std::thread> threads;
    for (auto& ids : found) threads.emplace_back([&] { t.encode(text, ids); });
    for (auto& thread : threads) thread.join();
    for (const auto& ids : found) EXPECT_EQ(ids, expected);
}

INSTANTIATE_TEST_SUITE_P(Kinds, AnyTokenizer,
                         ::testing::Values("word", "bpe", "wordpiece", "wordpiece uncased", "sentencepiece"),
                         [](const auto& kind) {
                             auto name = kind.param;
                             std::replace(name.begin(), name.end(), ' ', '_');
                             return name;
                         });

class TrainTest : public Scratch {
protected:
    std::unique_ptr<Tokenizer> train(const std::string& kind, std::int64_t size, const std::vector<std::string>& files,
                                     int threads = 1) {
        TokenizerConfig config;
        config.kind = kind;
        config.vocab_size = size;
        return train_tokenizer(config, files, threads);
    }
};

TEST_F(TrainTest, ThreadsAndPiecesDoNotChangeTheResult) {
    Random random(31);
    std::vector<std::string> files;
    for (int i = 0; i < 3; ++i) {
        std::string text;
        while (text.size() < (5U << 20) / (i + 1U))
            text += "some words that come again and again " + random_text(random, 3) + '\n';
        files.push_back(write("text" + std::to_string(i), text));
    }
    for (const auto* kind : {"word", "bpe"}) {
        const auto size = kind == std::string("word") ? 0 : 500;
        EXPECT_EQ(train(kind, size, files, 1)->files(), train(kind, size, files, 5)->files());
    }
}

TEST_F(TrainTest, SentencePieceIsLosslessAndDeterministic) {
    std::string text;
    for (int i = 0; i < 2000; ++i)
        text += "line " + std::to_string(i * 37 % 1000) + " of  the text,\t\xC3\xA9t\xC3\xA9\n";
    const auto file = write("text", text);
    const auto first = train("sentencepiece", 400, {file}, 1);
    EXPECT_EQ(first->fingerprint(), train("sentencepiece", 400, {file}, 4)->fingerprint());
    for (const auto& sample : {text.substr(0, 3000), std::string("\n\n  two spaces\n\xF0\x9F\x98\x80 unseen\n")}) {
        EXPECT_EQ(first->decode(encode(*first, sample)), sample);
    }
}

TEST_F(TrainTest, ErrorsSayWhatIsWrong) {
    const auto empty = write("empty", "");
    const auto blank = write("blank", "\n \n");
    for (const auto* kind : {"word", "bpe", "sentencepiece"}) {
        EXPECT_THAT(data_error([&] { train(kind, 0, {empty}); }), HasSubstr("nothing to learn")) << kind;
        EXPECT_THAT(data_error([&] { train(kind, 0, {(folder_ / "none").string()}, 3); }),
                    HasSubstr("none: No such file"))
            << kind;
        EXPECT_THAT(data_error([&] { train(kind, 2, {write("a", "a b c")}); }), HasSubstr("does not fit")) << kind;
    }
    EXPECT_THAT(data_error([&] { train("word", 0, {blank}); }), HasSubstr("nothing to learn"));
    EXPECT_THAT(data_error([&] { train("bpe", 5000, {write("a", "a b c")}); }), HasSubstr("at most"));
    EXPECT_THAT(data_error([&] { train("sentencepiece", 5000, {write("a", "a b c")}); }), HasSubstr("5000"));
    EXPECT_THROW(train("wordpiece", 100, {blank}), ConfigError);
}

TEST_F(TrainTest, OpeningNamesWhatIsMissing) {
    for (const auto* kind : {"word", "bpe", "wordpiece", "sentencepiece"}) {
        TokenizerConfig config;
        config.kind = kind;
        config.file = (folder_ / "none").string();
        EXPECT_THAT(data_error([&] { open_tokenizer(config); }), HasSubstr("none")) << kind;
    }
    TokenizerConfig config;
    config.kind = "sentencepiece";
    config.file = write("bad.model", "this is no model");
    EXPECT_THAT(data_error([&] { open_tokenizer(config); }), HasSubstr("bad.model"));
    EXPECT_THAT(data_error([&] { load_tokenizer(folder_ / "none"); }), HasSubstr("no such folder"));
    EXPECT_THAT(data_error([&] { load_tokenizer(folder_); }), HasSubstr("tokenizer.meta.json is missing"));
    for (const std::string bad : {"", "[]", R"({"format": 1})", R"({"format": 1, "kind": 3})",
                                  R"({"format": 2, "kind": "bpe"})", R"({"format": 1, "kind": "x"})"}) {
        write("tokenizer.meta.json", bad);
        EXPECT_THAT(data_error([&] { load_tokenizer(folder_); }), HasSubstr("tokenizer.meta.json")) << bad;
    }
}

}  // namespace
}  // namespace longbow
