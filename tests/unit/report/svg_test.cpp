// Tests line charts in SVG: they are well-formed, complete in one file, and true to their points.
#include "longbow/report/svg.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "xml.h"

namespace longbow {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

Chart chart_of(std::vector<ChartSeries> series) {
    Chart chart;
    chart.title = "a <title> & more";
    chart.x_label = "x";
    chart.y_label = "y";
    chart.log_x = true;
    chart.series = std::move(series);
    return chart;
}

ChartSeries series_of(const std::string& label, std::vector<double> x, std::vector<double> y) {
    ChartSeries series;
    series.label = label;
    series.x = std::move(x);
    series.y = std::move(y);
    return series;
}

TEST(Svg, NumbersOfTicksDoNotRunIntoEachOther) {
    auto chart = chart_of({series_of("", {64, 1024}, {3, 4})});
    chart.x_ticks = {64, 67, 72, 256, 900, 1024};
    const auto svg = chart_svg(chart);
    for (const auto* shown : {">64<", ">256<", ">1,024<"}) EXPECT_THAT(svg, HasSubstr(shown));
    for (const auto* hidden : {">67<", ">72<", ">900<"}) EXPECT_THAT(svg, Not(HasSubstr(hidden)));
}

TEST(Svg, StandsAloneWithoutAStyleSheet) {
    auto chart = chart_of({series_of("<b>&\"'\x1b\xe9", {64, 128, 256}, {3, 4, 5})});
    chart.series[0].low = {2, 3, NAN};
    chart.series[0].high = {4, 5, NAN};
    chart.series[0].notes = {"<1>", "&2", "3"};
    chart.marked_x = 128;
    chart.caption = "what it means";
    for (const auto& svg : {chart_svg(chart), svg_page("head", "a banner", {chart, chart})}) {
        const auto root = parse_xml(svg);
        EXPECT_EQ(root.name, "svg");
        EXPECT_EQ(root.attributes.at("xmlns"), "http://www.w3.org/2000/svg");
        EXPECT_THAT(root.attributes.at("font-family"), HasSubstr("DejaVu Sans"));
        EXPECT_EQ(root.attributes.at("viewBox"),
                  "0 0 " + root.attributes.at("width") + " " + root.attributes.at("height"));
        EXPECT_THAT(svg, Not(HasSubstr("<style")));
        EXPECT_THAT(svg, Not(HasSubstr("href")));
        EXPECT_THAT(svg, Not(HasSubstr("nan")));
        EXPECT_THAT(svg, HasSubstr("&lt;b&gt;&amp;&quot;&#39;\\x1B\\xE9"));
        for (const auto* element : all_of(root, "line")) EXPECT_TRUE(element->attributes.contains("stroke"));
        for (const auto* element : all_of(root, "text")) EXPECT_TRUE(element->attributes.contains("fill"));
        for (const auto* element : all_of(root, "polyline")) EXPECT_EQ(element->attributes.at("fill"), "none");
    }
    EXPECT_THAT(svg_page("head", "", {chart}), HasSubstr("what it means"));
}

// Two points have error bars made of a stem and two caps; the third has none.
TEST(Svg, ErrorBarsSpanTheirInterval) {
    auto chart = chart_of({series_of("a", {64, 128, 256}, {3, 4, 5})});
    chart.series[0].low = {2, 3.5, NAN};
    chart.series[0].high = {6, 4.5, NAN};
    const auto root = parse_xml(chart_svg(chart));
    std::vector<double> heights;
    for (const auto* element : all_of(root, "line")) {
        if (element->attributes.count("class") == 0) continue;
        EXPECT_EQ(element->attributes.at("class"), "error-bar");
        const double height = std::stod(element->attributes.at("y1")) - std::stod(element->attributes.at("y2"));
        if (height != 0) heights.push_back(height);
    }
    ASSERT_THAT(heights, SizeIs(2));
    EXPECT_NEAR(heights[0] / heights[1], 4, 0.01);
}

TEST(Svg, APointWithoutAValueBreaksTheLine) {
    const auto root = parse_xml(chart_svg(
        chart_of({series_of("a", {1, 2, 4, 8, 16, 32}, {3, 4, NAN, INFINITY, 5, 6}), series_of("b", {1}, {NAN})})));
    const auto lines = all_of(root, "polyline");
    ASSERT_THAT(lines, SizeIs(2));
    for (const auto* line : lines)
        EXPECT_EQ(std::count(line->attributes.at("points").begin(), line->attributes.at("points").end(), ','), 2);
    EXPECT_THAT(chart_svg(chart_of({series_of("a", {1}, {NAN})})),
                Not(testing::AnyOf(HasSubstr("nan"), HasSubstr("inf"))));
}

// Perplexities of diverging models may be any double.
TEST(Svg, ValuesAtTheEndOfWhatADoubleHolds) {
    for (const double high : {1e300, 1e305, 1.7e308}) {
        auto chart = chart_of({series_of("a", {64, 128}, {70, high})});
        chart.log_y = true;
        const auto svg = chart_svg(chart);
        EXPECT_LT(svg.size(), 20000U);
        for (const auto* none : {"inf", "nan"}) EXPECT_THAT(svg, Not(HasSubstr(none)));
    }
}

TEST(Svg, LongLabelsAreShortenedAndNeverMadeAlike) {
    const auto texts = [](const Chart& chart) {
        std::vector<std::string> found;
        const auto root = parse_xml(chart_svg(chart));
        for (const auto* text : all_of(root, "text")) found.push_back(text->text);
        return found;
    };
    const std::string middle(80, 'm');
    EXPECT_THAT(texts(chart_of({series_of("begin" + middle + "end", {1}, {1})})),
                testing::Contains(testing::MatchesRegex("begin.*\u2026.*end")));
    const std::vector<ChartSeries> alike{series_of("begin" + middle + "1" + middle + "end", {1}, {1}),
                                         series_of("begin" + middle + "2" + middle + "end", {1}, {2})};
    for (const auto& series : alike) EXPECT_THAT(texts(chart_of(alike)), testing::Contains(series.label));
}

// Labels stay inside the picture, however many and however long they are.
TEST(Svg, ThePictureHasRoomForItsLabels) {
    std::vector<ChartSeries> series;
    for (int i = 0; i < 40; ++i) series.push_back(series_of("model number " + std::to_string(i), {1, 2}, {1, 2}));
    const auto chart = chart_of(series);
    const auto root = parse_xml(chart_svg(chart));
    std::vector<double> places;
    for (const auto* text : all_of(root, "text")) {
        if (!text->text.starts_with("model")) continue;
        places.push_back(std::stod(text->attributes.at("y")));
        EXPECT_GT(places.back(), 0);
        EXPECT_LT(places.back(), chart_size(chart).height);
    }
    std::sort(places.begin(), places.end());
    for (std::size_t i = 1; i < places.size(); ++i) EXPECT_GE(places[i] - places[i - 1], 16);
}

TEST(Svg, EachOfManySeriesHasALookOfItsOwn) {
    std::vector<ChartSeries> series;
    for (std::size_t i = 0; i < 32; ++i) {
        series.push_back(series_of("", {1}, {1}));
        series.back().style = i;
    }
    const auto root = parse_xml(chart_svg(chart_of(series)));
    std::set<std::string> looks;
    for (const auto* name : {"circle", "rect", "path"}) {
        for (const auto* element : all_of(root, name)) {
            if (element->attributes.at("fill") == "#ffffff") continue;
            const auto form = element->attributes.contains("d")
                                  ? element->attributes.at("d").substr(element->attributes.at("d").find('l'))
                                  : "";
            looks.insert(element->name + form + element->attributes.at("fill"));
        }
    }
    EXPECT_EQ(looks.size(), 32U);
}

}  // namespace
}  // namespace longbow
