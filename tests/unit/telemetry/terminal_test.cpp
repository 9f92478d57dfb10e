// Tests the layout of text on a terminal, which counts columns instead of bytes.
#include "longbow/telemetry/terminal.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "longbow/core/strings.h"

namespace longbow {
namespace {

TEST(Terminal, WidthIsCountedInColumns) {
    EXPECT_EQ(display_width("alibi"), 5);
    EXPECT_EQ(display_width("日本語"), 6);
    EXPECT_EQ(display_width("caf\xC3\xA9"), 4);
    EXPECT_EQ(display_width("cafe\xCC\x81"), 4) << "a combining accent";
    EXPECT_EQ(display_width("a\xFF\xFE"), 3) << "bytes that are no UTF-8";
    EXPECT_EQ(display_width("a\nb\x1B[K"), 6);
    EXPECT_EQ(printable("a\nb\x1B[K\xFF日"), "a?b?[K?日");
}

TEST(Terminal, TextIsCutToItsColumns) {
    EXPECT_EQ(fit_width("alibi", 5), "alibi");
    EXPECT_EQ(fit_width("sinusoidal", 5), "sin..");
    EXPECT_EQ(fit_width("日本語", 6), "日本語");
    EXPECT_EQ(fit_width("日本語", 5), "日..") << "half a wide character is none";
    EXPECT_EQ(fit_width("日本語", 1), ".");
    EXPECT_EQ(fit_width("日本語", 0), "");
    for (int width = 0; width < 12; ++width) EXPECT_LE(display_width(fit_width("a日b本c語def", width)), width);
}

TEST(Terminal, WordsAreWrapped) {
    EXPECT_EQ(wrapped("one two three", 0), "one two three");
    EXPECT_EQ(wrapped("one two three", 13), "one two three");
    EXPECT_EQ(wrapped("one two three", 8), "one two\nthree");
    EXPECT_EQ(wrapped("one two three", 2), "one\ntwo\nthree");
    EXPECT_EQ(wrapped("日本 語", 4), "日本\n語");
    EXPECT_EQ(wrapped("", 10), "");
}

std::vector<TableColumn> table() {
    return {{"length", 0, {"64", "1024"}},
            {"tokens", 2, {"126,124", "126,124"}},
            {"ppl", 0, {"70.50", "69.79"}},
            {"interval", 1, {"68 to 72", "-"}},
            {"名前", 3, {"日本語", "x"}}};
}

TEST(Terminal, ATableLosesItsLeastImportantColumns) {
    const std::pair<int, std::vector<std::string>> cases[] = {{200, {}},
                                                              {80, {}},
                                                              {40, {}},
                                                              {39, {"名前"}},
                                                              {32, {"名前"}},
                                                              {31, {"tokens", "名前"}},
                                                              {20, {"tokens", "interval", "名前"}},
                                                              {5, {"tokens", "interval", "名前"}},
                                                              {0, {}}};
    for (const auto& [width, expected] : cases) {
        std::vector<std::string> left_out;
        const auto text = aligned_table(table(), width, &left_out);
        EXPECT_EQ(left_out, expected) << width;
        const auto lines = split(text, '\n');
        ASSERT_EQ(lines.size(), 4U) << "the last line is ended";
        for (std::size_t i = 0; i < 3; ++i) {
            EXPECT_EQ(display_width(lines[i]), display_width(lines[0]));
            if (width >= 15) {
                EXPECT_LE(display_width(lines[i]), width);
            }
        }
    }
    EXPECT_EQ(aligned_table(table(), 20), "length    ppl\n    64  70.50\n  1024  69.79\n");
}

}  // namespace
}  // namespace longbow
