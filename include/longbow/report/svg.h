// Line charts as SVG: log axes, markers, error bars, labels at the lines' ends. Each stands alone and looks alike in browsers and under
// rsvg-convert: presentation attributes and no style sheet, a size, and a font by name.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "longbow/report/escape.h"

namespace longbow {

struct ChartSeries {
    std::string label;
    std::size_t style = 0;  // colour and marker; equal styles mean equal things across a page's charts
    // Points in order; one that is not finite is left out and breaks the line.
    std::vector<double> x, y;
    std::vector<double> low, high;   // ends of error bars; empty or one a point, not finite where there is none
    std::vector<std::string> notes;  // shown on hovering over a point; empty or one a point
    std::vector<bool> weak;          // points that rest on little, hollow; empty or one a point
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
    std::string caption;  // what its parts mean: under it on a page of figures, where the HTML report has it as text
};

struct ChartSize {
    double width = 0, height = 0;
};

// A whole <svg>, without title and caption.
std::string chart_svg(const Chart& chart);
// The same as parts to be placed (<g>), with the size that it fills.
std::string chart_group(const Chart& chart);
ChartSize chart_size(const Chart& chart);

// A file that stands alone: charts below each other, each under its title. An empty banner is left out; long texts are broken into lines.
std::string svg_page(const std::string& head, const std::string& banner, const std::vector<Chart>& charts);

// Colour of a style, for what stands beside a chart.
std::string style_colour(std::size_t style);

}  // namespace longbow
