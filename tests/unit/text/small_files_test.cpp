// Tests that the cost of reading a file follows its size, because a store may be made from a hundred thousand files of
// one line each. Costs are counted in bytes allocated, which do not depend on the clock or the load.
#include <algorithm>

#include "allocated_bytes.h"
#include "longbow/text/json_lines.h"
#include "longbow/text/tokenizer.h"
#include "scratch.h"
#include "text/word_counts.h"
#include "text/word_tokenizer.h"

namespace longbow {
namespace {

constexpr std::size_t kMost = 32 << 10;

using test::bytes_of;

class SmallFiles : public Scratch {
protected:
    std::vector<std::string> files(int count, const std::string& ending, const std::string& text) {
        std::vector<std::string> names;
        for (int i = 0; i < count; ++i) names.push_back(write("f" + std::to_string(i) + ending, text));
        return names;
    }
    // Returns what one more file costs, without the cost of starting.
    template <class Action>
    static std::size_t each(const std::vector<std::string>& files, Action&& action) {
        const std::vector<std::string> half(files.begin(),
                                            files.begin() + static_cast<std::ptrdiff_t>(files.size() / 2));
        const auto few = bytes_of([&] { action(half); });
        const auto many = bytes_of([&] { action(files); });
        return (many - std::min(few, many)) / (files.size() - half.size());
    }
};

TEST_F(SmallFiles, ReadingOneFollowsItsSize) {
    const auto plain = write("a.txt", "file 1 the old harbour\n"),
               json = write("a.jsonl", "{\"text\": \"the old harbour\"}\n");
    EXPECT_LT(bytes_of([&] {
                  TextReader reader(plain);
                  for (std::string text; reader.read(text, 4 << 20);) {
                  }
              }),
              kMost);
    EXPECT_LT(bytes_of([&] {
                  LineReader reader(json, 4 << 20);
                  std::string lines;
                  for (std::int64_t first = 0; reader.next(lines, first);) {
                  }
              }),
              kMost);
}

TEST_F(SmallFiles, CountingTheirWordsDoesToo) {
    const auto plain = files(100, ".txt", "file the old harbour\n"),
               json = files(100, ".jsonl", "{\"text\": \"the old harbour\"}\n");
    const auto count = [](const std::vector<std::string>& names) {
        (void)count_words(names, "text", 1, WordTokenizer::rule());
    };
    EXPECT_LT(each(plain, count), kMost);
    EXPECT_LT(each(json, count), kMost);
}

TEST_F(SmallFiles, LearningEveryKindOfVocabularyDoesToo) {
    std::string text;
    for (int i = 0; i < 40; ++i) text += "word" + std::to_string(i * 7919 % 1000) + " harbour light\n";
    const auto names = files(100, ".txt", text);
    for (const std::string kind : {"word", "bpe"}) {
        TokenizerConfig config;
        config.kind = kind;
        config.vocab_size = kind == "word" ? 0 : 260;
        EXPECT_LT(
            each(names, [&](const std::vector<std::string>& some) { (void)train_tokenizer(config, some, 1, "text"); }),
            kMost)
            << kind;
    }
}

}  // namespace
}  // namespace longbow
