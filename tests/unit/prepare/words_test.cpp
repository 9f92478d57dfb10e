// Tests the counting of words, which are runs of characters that are not white space.
#include <gtest/gtest.h>

#include <string>

#include "prepare/words.h"

namespace longbow {
namespace {

std::int64_t words(const std::string& text) {
    bool after_space = true;
    return count_word_starts(text, 0, text.size(), after_space);
}

TEST(Words, AreRunsOfNonWhitespace) {
    EXPECT_EQ(words(""), 0);
    EXPECT_EQ(words(" \t\r\n\x0b\x0c"), 0);
    EXPECT_EQ(words("a"), 1);
    EXPECT_EQ(words("  two words\n"), 2);
    EXPECT_EQ(words("don't stop, 3.14"), 3);
    EXPECT_EQ(words("caf\xC3\xA9 na\xC3\xAFve \xF0\x9F\x98\x80"), 3);
}

TEST(Words, KnowUnicodeWhitespace) {
    for (const char* space : {"\xC2\x85", "\xC2\xA0", "\xE1\x9A\x80", "\xE2\x80\x80", "\xE2\x80\x8A", "\xE2\x80\xA8",
                              "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80", "\x1c", "\x1f"}) {
        EXPECT_EQ(words(std::string("a") + space + "b"), 2);
    }
    // Similar characters that are not white space: zero width space, left-to-right mark, left single quotation mark,
    // copyright sign, ideographic comma.
    for (const char* other : {"\xE2\x80\x8B", "\xE2\x80\x8E", "\xE2\x80\x98", "\xC2\xA9", "\xE3\x80\x81"}) {
        EXPECT_EQ(words(std::string("a") + other + "b"), 1);
    }
}

// Counting in parts, cut at any byte, must add up to counting at once.
TEST(Words, AddUpOverAnyCut) {
    const std::string text =
        " a\xE3\x80\x80"
        "b\xC2\xA0\xC3\xA9 c\xF0\x9F\x98\x80 \n d";
    const auto whole = words(text);
    EXPECT_EQ(whole, 5);
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        bool after_space = true;
        auto sum = count_word_starts(text, 0, cut, after_space);
        sum += count_word_starts(text, cut, text.size(), after_space);
        EXPECT_EQ(sum, whole) << cut;
    }
}

TEST(Words, KnowTheLastCharacter) {
    EXPECT_TRUE(ends_in_space("", true));
    EXPECT_FALSE(ends_in_space("", false));
    EXPECT_TRUE(ends_in_space("a ", false));
    EXPECT_TRUE(ends_in_space("a\xE3\x80\x80", false));
    EXPECT_FALSE(ends_in_space(" \xC3\xA9", true));
}

}  // namespace
}  // namespace longbow
