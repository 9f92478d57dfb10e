// Tests one table in each format: texts appear as given, and the structure is the format's.
#include "longbow/report/text_table.h"

#include <gtest/gtest.h>

#include "longbow/report/html_page.h"
#include "longbow/report/method_style.h"

namespace longbow {
namespace {

const TextTable kTable{{"Model", "64"}, {true, false}, {{{"ALiBi"}, {"1.5", " class=\"best\""}}, {{"T5 bias"}, {"2"}}}};

TEST(TextTable, Markdown) {
    EXPECT_EQ(markdown_table(kTable), "| Model | 64 |\n|---|---:|\n| ALiBi | 1.5 |\n| T5 bias | 2 |\n");
}

TEST(TextTable, Latex) {
    EXPECT_EQ(
        latex_table(kTable, "A caption."),
        "\\begin{table}\n  \\centering\n  \\caption{A caption.}\n  \\begin{tabular}{lr}\n    \\toprule\n    Model & 64 \\\\\n"
        "    \\midrule\n    ALiBi & 1.5 \\\\\n    T5 bias & 2 \\\\\n    \\bottomrule\n  \\end{tabular}\n\\end{table}\n");
}

TEST(TextTable, Html) {
    EXPECT_EQ(
        html_table(kTable),
        "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">Model</th><th scope=\"col\">64</th></tr></thead><tbody>\n"
        "<tr><th scope=\"row\">ALiBi</th><td class=\"best\">1.5</td></tr>\n<tr><th scope=\"row\">T5 bias</th><td>2</td></tr>\n"
        "</tbody></table></div>\n");
}

TEST(TextTable, APageHoldsItsStyleAndAnEscapedTitle) {
    const auto page = html_page("a < b", "<p>body</p>\n");
    EXPECT_NE(page.find("<title>a &lt; b</title>"), std::string::npos);
    EXPECT_NE(page.find("<main>\n<p>body</p>\n</main>"), std::string::npos);
    EXPECT_NE(page.find("font-variant-numeric"), std::string::npos);
}

TEST(MethodStyle, TitlesAndStyles) {
    EXPECT_EQ(method_title("alibi"), "ALiBi");
    EXPECT_EQ(method_title("learned"), "Learned");
    EXPECT_EQ(method_title(""), "");
    EXPECT_EQ(method_style("rotary"), 2U);
    EXPECT_EQ(method_style("kerple"), styled_methods().size());
}

}  // namespace
}  // namespace longbow
