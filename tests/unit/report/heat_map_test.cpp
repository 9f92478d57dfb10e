// Tests heat maps in SVG: their cells have the numbers and colours of the shares, and are counted over ranges and
// seeds.
#include "longbow/report/heat_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "xml.h"

namespace longbow {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// A row of `longbow probe tasks` with two bins.
Json row_of(std::int64_t least, std::int64_t most, const Json& shares, const Json& items) {
    Json row{{"symbol", "tokens"}, {"lengths", {least, most}}, {"depths", Json::array()}};
    for (std::size_t bin = 0; bin < shares.size(); ++bin)
        row["depths"].push_back(
            {{"from", 0.5 * static_cast<double>(bin)}, {"items", items[bin]}, {"exact_match", shares[bin]}});
    return row;
}

TEST(HeatMap, CountsItemsOfSeedsTogether) {
    const auto map = depth_map("needles", {row_of(9, 16, {0.5, nullptr}, {4, 0}), row_of(1, 8, {1, 1}, {2, 2}),
                                           row_of(9, 16, {0, nullptr}, {12, 0}), Json{{"lengths", {1, 8}}}});
    EXPECT_THAT(map.rows, ElementsAre("1 to 8", "9 to 16"));
    EXPECT_THAT(map.columns, ElementsAre("0.0", "0.5"));
    EXPECT_EQ(map.cells[0][1], 1.0);
    EXPECT_EQ(map.cells[1][0], 0.125) << "2 of 16";
    EXPECT_FALSE(map.cells[1][1].has_value());
    EXPECT_THAT(map.notes[1][0], HasSubstr("9 to 16 tokens, depth from 0.0: 2 of 16 items"));
    EXPECT_THAT(map.caption, HasSubstr("over 2 seeds"));
    EXPECT_TRUE(depth_map("copies", {Json{{"lengths", {1, 8}}}}).rows.empty());
}

TEST(HeatMap, StandsAloneAndSaysEachNumber) {
    const auto map =
        depth_map("a <title> & more", {row_of(1, 8, {0, 1}, {5, 5}), row_of(9, 16, {0.25, nullptr}, {4, 0})});
    const auto svg = heat_map_svg({map, map});
    const auto root = parse_xml(svg);
    EXPECT_EQ(root.name, "svg");
    EXPECT_EQ(root.attributes.at("viewBox"), "0 0 " + root.attributes.at("width") + " " + root.attributes.at("height"));
    EXPECT_THAT(svg, Not(HasSubstr("<style")));
    EXPECT_THAT(svg, HasSubstr("a &lt;title&gt; &amp; more"));
    std::vector<std::string> fills, texts;
    for (const auto* element : all_of(root, "rect")) fills.push_back(element->attributes.at("fill"));
    ASSERT_EQ(fills.size(), 9U) << "the background, and four cells of each map";
    EXPECT_EQ(fills[1], "#f4f7fb");
    EXPECT_EQ(fills[2], "#004a80");
    EXPECT_THAT(fills[3], testing::AllOf(Not(fills[1]), Not(fills[2])));
    EXPECT_EQ(fills[4], "#ffffff") << "no item";
    for (const auto* element : all_of(root, "text")) texts.push_back(element->text);
    for (const auto* one : {"0.00", "1.00", "0.25", "1 to 8", "9 to 16", "tokens"})
        EXPECT_EQ(std::count(texts.begin(), texts.end(), one), 2) << one;
    const auto height = std::stod(root.attributes.at("height"));
    for (const auto* element : all_of(root, "rect")) {
        if (element->attributes.contains("y")) {
            EXPECT_LT(std::stod(element->attributes.at("y")) + 34, height);
        }
    }
}

}  // namespace
}  // namespace longbow
