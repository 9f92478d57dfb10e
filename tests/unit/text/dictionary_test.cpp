// Tests fairseq's dictionary file and the tokenizer of words that uses it.
#include "text/dictionary.h"

#include <gmock/gmock.h>

#include "scratch.h"
#include "text/word_tokenizer.h"

namespace longbow {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<TokenId> encode(const Tokenizer& tokenizer, std::string_view text) {
    std::vector<TokenId> ids;
    tokenizer.encode(text, ids);
    return ids;
}

TEST(DictionaryTest, OrdersByCountThenCodePointAndPadsToEight) {
    WordCounts counts;
    for (const auto* word : {"b", "a", "\xF0\x9F\x98\x80", "\xEF\xBC\xA1", "c", "c", "<unk>", "</s>", "madeupword0001"})
        counts.add(word);
    EXPECT_EQ(
        Dictionary::from_counts(counts, 0).format(),
        "c 2\na 1\nb 1\nmadeupword0001 1\n\xEF\xBC\xA1 1\n\xF0\x9F\x98\x80 1\n"
        "madeupword0000 0\nmadeupword0002 0\nmadeupword0003 0\nmadeupword0004 0\nmadeupword0005 0\nmadeupword0006 0\n");
}

TEST(DictionaryTest, ALimitCountsTheSpecials) {
    WordCounts counts;
    counts.add("a", 3);
    counts.add("b", 2);
    counts.add("c", 1);
    EXPECT_EQ(Dictionary::from_counts(counts, 6).format(), "a 3\nb 2\nmadeupword0000 0\nmadeupword0001 0\n");
    for (const std::int64_t limit : {-1, 1, 4}) {
        EXPECT_THAT(data_error([&] { Dictionary::from_counts(counts, limit); }), HasSubstr("does not fit"));
    }
}

TEST(DictionaryTest, AByteOrderMarkIsNoPartOfTheFirstWord) {
    const std::string mark = "\xEF\xBB\xBF", text = "the 10\na 5\n";
    const auto plain = Dictionary::parse(text, "d"), marked = Dictionary::parse(mark + text, "d");
    EXPECT_EQ(marked.index("the"), 4U);
    EXPECT_EQ(marked.format(), plain.format());
    EXPECT_EQ(Dictionary::parse(mark + "the 10\r\na 5\r\n", "d").format(), plain.format());
    // A word that begins with the character of the byte order mark keeps it, also as the first word of a file that is
    // written.
    const auto second = Dictionary::parse(mark + mark + text, "d");
    EXPECT_EQ(second.index(mark + "the"), 4U);
    EXPECT_EQ(Dictionary::parse(second.format(), "d").index(mark + "the"), 4U);
}

TEST(DictionaryTest, OtherEncodingsAreNamed) {
    EXPECT_THAT(data_error([] { Dictionary::parse(std::string("\xFF\xFEt\0 \0\x31\0", 8), "d"); }),
                HasSubstr("d: begins with the byte order mark of UTF-16"));
    EXPECT_THAT(data_error([] { Dictionary::parse("the 1\ncaf\xE9 1\n", "d"); }),
                HasSubstr("d: byte 9 (line 2) is not valid UTF-8"));
}

TEST(DictionaryTest, AWordMayHoldANul) {
    const std::string text("a\0b 3\nc 2\n", 10);
    const auto dictionary = Dictionary::parse(text, "d");
    EXPECT_EQ(dictionary.index(std::string_view("a\0b", 3)), 4U);
    EXPECT_EQ(dictionary.format(), text);
}

TEST(DictionaryTest, ReadsWhatItWrites) {
    const std::string text = "the 10\na b 5\n#x 3\n10 2\nthe 1 #fairseq:overwrite\n<pad> 7 #fairseq:overwrite\n";
    const auto dictionary = Dictionary::parse(text, "dict.txt");
    EXPECT_EQ(dictionary.format(), text);
    EXPECT_EQ(dictionary.size(), 10U);
    EXPECT_EQ(dictionary.symbol(5), "a b");
    EXPECT_EQ(dictionary.index("the"), 8U);
    EXPECT_EQ(dictionary.index("<pad>"), 9U);
    EXPECT_EQ(dictionary.index("</s>"), 2U);
    EXPECT_EQ(dictionary.index("unseen"), 3U);
    EXPECT_EQ(Dictionary::parse("the 1 \r\nof 2", "d").format(), "the 1\nof 2\n");
}

TEST(DictionaryTest, DamagedLinesAreNamed) {
    const auto message = [](const std::string& text) {
        return data_error([&] { Dictionary::parse(text, "dict.txt"); });
    };
    for (const std::string bad :
         {"word", "word x", "word 1.5", "word -1", " 5", "", "word 99999999999999999999", "word #fairseq:overwrite"}) {
        EXPECT_THAT(message("the 5\n" + bad + "\n"), HasSubstr("dict.txt:2: \"<word> <count>\"")) << bad;
    }
    EXPECT_THAT(message("the 5\nof 4\nthe 3\n"), HasSubstr("dict.txt:3: \"the\" is written twice"));
    EXPECT_THAT(message("<unk> 3\n"), HasSubstr("dict.txt:1"));
    EXPECT_THAT(message("th\xFF 3\n"), HasSubstr("byte 2"));
}

TEST(WordTokenizerTest, EveryLineEndsWithTheBoundary) {
    const WordTokenizer tokenizer(Dictionary::parse("the 3\ncat 2\n\xC3\xA9 1\n", "d"));
    EXPECT_THAT(encode(tokenizer, ""), ElementsAre());
    EXPECT_THAT(encode(tokenizer, "\n\n"), ElementsAre(2, 2));
    EXPECT_THAT(encode(tokenizer, "the cat"), ElementsAre(4, 5, 2));
    EXPECT_THAT(encode(tokenizer,
                       " the\t\xC2\xA0"
                       "cat\x1c\xC3\xA9 dog \r\n<unk> <pad> </s>\rthe"),
                ElementsAre(4, 5, 6, 3, 2, 3, 1, 2, 2, 4, 2));
    EXPECT_THAT(encode(tokenizer, "  "), ElementsAre(2));
    EXPECT_EQ(tokenizer.decode({4, 5, 2, 2, 3, 2}), "the cat\n\n<unk>\n");
    EXPECT_EQ(tokenizer.boundary(), 2U);
    EXPECT_TRUE(tokenizer.boundary_per_line());
    EXPECT_THAT(data_error([&] { (void)tokenizer.decode({7}); }), HasSubstr("token id 7"));
}

TEST(WordTokenizerTest, LineEndsAreSafeToCutBehind) {
    const auto cut = WordTokenizer::last_line_end;
    EXPECT_EQ(cut("ab"), 0U);
    EXPECT_EQ(cut("a\nb\nc"), 4U);
    EXPECT_EQ(cut("a\n"), 2U);
    EXPECT_EQ(cut("a\r"), 0U);
    EXPECT_EQ(cut("a\rb"), 2U);
    EXPECT_EQ(cut("a\r\n"), 3U);
    EXPECT_EQ(cut("a\nb\rc\r"), 4U);
}

}  // namespace
}  // namespace longbow
