// Line charts as inline SVG: enough for a report (log axes, markers, labels at the lines' ends), nothing to load.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace longbow {

struct ChartSeries {
    std::string label;
    std::size_t style = 0;  // colour and marker; equal styles mean equal things across a page's charts
    std::vector<double> x, y;
    std::vector<std::string> notes;  // shown on hovering over a point; empty or one a point
    bool markers = true;
    bool line = true;
    bool dashed = false;
};

struct Chart {
    std::string title;  // for readers who hear the page; above the chart on a page of its own
    std::string x_label, y_label;
    bool log_x = false, log_y = false;
    std::vector<double> x_ticks;     // empty: chosen
    std::optional<double> marked_x;  // a dashed upright line
    std::string marked_label;
    std::vector<ChartSeries> series;
};

std::string escape_html(const std::string& text);
std::string chart_svg(const Chart& chart);
// A file that stands alone: charts below each other, each under its title. An empty banner is left out; a long one is broken into lines.
std::string svg_page(const std::string& head, const std::string& banner, const std::vector<Chart>& charts);
// Colour of a style, for what stands beside a chart.
std::string style_colour(std::size_t style);

}  // namespace longbow
