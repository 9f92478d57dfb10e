// Line charts as SVG.
#include "experiments/svg.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

namespace longbow {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Svg, NumbersOfTicksDoNotRunIntoEachOther) {
    Chart chart;
    chart.log_x = true;
    chart.x_ticks = {64, 67, 72, 256, 900, 1024};
    ChartSeries line;
    line.x = {64, 1024};
    line.y = {3, 4};
    chart.series = {line};
    const auto svg = chart_svg(chart);
    const std::regex tick("class=\"tick\"");
    EXPECT_EQ(std::distance(std::sregex_iterator(svg.begin(), svg.end(), tick), std::sregex_iterator()), 6);
    for (const auto* shown : {">64<", ">256<", ">1,024<"}) EXPECT_THAT(svg, HasSubstr(shown));
    for (const auto* hidden : {">67<", ">72<", ">900<"}) EXPECT_THAT(svg, Not(HasSubstr(hidden)));
}

}  // namespace
}  // namespace longbow
