#include <sstream>

#include "longbow/core/strings.h"
#include "svg.h"

namespace longbow {

namespace {

constexpr double kChartWidth = 760, kChartHeight = 400, kTitle = 30, kLine = 16;
constexpr std::size_t kLetters = 120;  // of a banner's line

// What a page's style sheet gives its inline charts.
const char* const kStyle =
    "text { font: 13px system-ui, -apple-system, \"Segoe UI\", Roboto, Arial, sans-serif; fill: #1c2330; }\n"
    ".head { font-weight: 600; font-size: 16px; } .title { font-weight: 600; font-size: 14px; } .banner { fill: #a02020; font-weight: 600; "
    "font-size: 12px; }\n"
    ".label, .marked { fill: #566070; } .grid { stroke: #e6e9ef; } .axis, .tick { stroke: #8a93a2; } .mark { stroke: #8a93a2; "
    "stroke-dasharray: 4 4; }\n"
    ".leader { stroke: #c5cbd6; }\n";

std::vector<std::string> wrapped(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream words(text);
    for (std::string word; words >> word;) {
        if (lines.empty() || lines.back().size() + word.size() >= kLetters)
            lines.emplace_back(word);
        else
            lines.back() += " " + word;
    }
    return lines;
}

}  // namespace

std::string svg_page(const std::string& head, const std::string& banner, const std::vector<Chart>& charts) {
    double top = 12;
    std::string body;
    const auto text = [&](const char* kind, const std::string& line, double height) {
        top += height;
        body += strprintf("<text class=\"%s\" x=\"16\" y=\"%.0f\">", kind, top) + escape_html(line) + "</text>\n";
    };
    for (const auto& line : wrapped(head)) text("head", line, kLine + 3);
    for (const auto& line : wrapped(banner)) text("banner", line, kLine);
    for (const auto& chart : charts) {
        text("title", chart.title, kTitle);
        body += strprintf("<svg x=\"0\" y=\"%.0f\" width=\"%.0f\" height=\"%.0f\" overflow=\"visible\">\n", top + 4, kChartWidth,
                          kChartHeight) +
                chart_svg(chart) + "</svg>\n";
        top += kChartHeight + 4;
    }
    const double width = kChartWidth + 80;  // labels at the lines' ends may be longer than the chart's margin
    return strprintf("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" height=\"%.0f\">\n<style>\n",
                     width, top + 10, width, top + 10) +
           kStyle + "</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n" + body + "</svg>\n";
}

}  // namespace longbow
