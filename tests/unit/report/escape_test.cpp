// Tests names with special characters in each output format.
#include "longbow/report/escape.h"

#include <gtest/gtest.h>

#include "xml.h"

namespace longbow {
namespace {

TEST(Escape, WhatCannotBeShownIsSpeltOut) {
    EXPECT_EQ(printable("caf\u00e9 \u6f22 \U0001F40D"), "caf\u00e9 \u6f22 \U0001F40D");
    EXPECT_EQ(printable("a\nb\tc\rd"), "a b c d");
    EXPECT_EQ(printable(std::string("a\0b\x1b[31m\x7f", 9)), "a\\x00b\\x1B[31m\\x7F");
    EXPECT_EQ(printable("caf\xe9 \xff\xfe \xc0\xaf \xed\xa0\x80"), "caf\\xE9 \\xFF\\xFE \\xC0\\xAF \\xED\\xA0\\x80");
    EXPECT_EQ(printable("\u0085 \u202Egnp.exe \uFEFF \uFFFF"), "\\x85 \\u202Egnp.exe \\uFEFF \\uFFFF");
    EXPECT_EQ(printable("\xf4\x90\x80\x80 \xe2\x82"), "\\xF4\\x90\\x80\\x80 \\xE2\\x82");
}

TEST(Escape, MarkdownShowsTheName) {
    EXPECT_EQ(escape_markdown("a|b"), "a\\|b");
    EXPECT_EQ(escape_markdown("a\\|b"), "a\\\\\\|b");
    EXPECT_EQ(escape_markdown("run_a_1"), "run_a_1");
    EXPECT_EQ(escape_markdown("_run_ *b* `c`"), "\\_run\\_ \\*b\\* \\`c\\`");
    EXPECT_EQ(escape_markdown("<script>[x](y)~~z~~$1&amp;"), "\\<script\\>\\[x\\](y)\\~\\~z\\~\\~\\$1\\&amp;");
    EXPECT_EQ(escape_markdown("two\nlines\xe9"), "two lines\\\\xE9");
}

TEST(Escape, LatexShowsTheName) {
    EXPECT_EQ(escape_latex("a_b & 5% $x$ #1 {y}"), "a\\_b \\& 5\\% \\$x\\$ \\#1 \\{y\\}");
    EXPECT_EQ(escape_latex("a\\b~c^d"), "a\\textbackslash{}b\\textasciitilde{}c\\textasciicircum{}d");
    EXPECT_EQ(escape_latex("<a|b>"), "\\textless{}a\\textbar{}b\\textgreater{}");
    EXPECT_EQ(escape_latex("[1]*"), "{[}1{]}{*}");
    EXPECT_EQ(escape_latex("a-b --c"), "a-b -{}-c");
    EXPECT_EQ(escape_latex("two\nlines"), "two lines");
}

TEST(Escape, CsvQuotesAndDefusesFormulas) {
    EXPECT_EQ(csv_line({"a", "b,c", "d\"e", "f\ng", "h\ri"}), "a,\"b,c\",\"d\"\"e\",\"f\ng\",\"h\ri\"\n");
    EXPECT_EQ(csv_line({"=1+1", "@x", "+a", "-b"}), "'=1+1,'@x,'+a,'-b\n");
    EXPECT_EQ(csv_line({"-0.5", "+0.25", "-1e-05", "1"}), "-0.5,+0.25,-1e-05,1\n");
    EXPECT_EQ(csv_line({std::string("n\0l\xe9", 4), ""}), "n\\x00l\\xE9,\n");
}

TEST(Escape, HtmlAndSvgReadBackAsTheName) {
    const std::string name = "<b> & \"x\" 'y'";
    const auto read = parse_xml("<t a=\"" + escape_html(name) + "\">" + escape_html(name) + "</t>");
    EXPECT_EQ(read.text, name);
    EXPECT_EQ(read.attributes.at("a"), name);
    EXPECT_NO_THROW(parse_xml("<t>" + escape_html(std::string("\0\x1b\xff\uFFFF", 6)) + "</t>"));
}

}  // namespace
}  // namespace longbow
