// Draws line charts as SVG, with logarithmic axes, markers, error bars and labels at the lines' ends. Each chart is
// self-contained and looks the same in browsers and under rsvg-convert: it has a size and a named font, and uses
// presentation attributes instead of a style sheet.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "longbow/report/escape.h"

namespace longbow {

struct ChartSeries {
    std::string label;
    std::size_t style = 0;  // colour and marker; one style stands for one thing in all charts of a page
    // The points in order. A point that is not finite is left out and breaks the line.
    std::vector<double> x, y;
    std::vector<double> low, high;   // ends of error bars; empty or one a point, not finite where a point has no bar
    std::vector<std::string> notes;  // shown on hovering over a point; empty or one a point
    std::vector<bool> weak;          // points based on little data, drawn hollow; empty or one a point
    bool markers = true;
    bool line = true;
    bool dashed = false;
};

struct Chart {
    std::string title;  // read by screen readers; printed above the chart on a page of figures
    std::string x_label, y_label;
    bool log_x = false, log_y = false;
    std::vector<double> x_ticks;     // empty: chosen automatically
    std::optional<double> marked_x;  // where a dashed vertical line is drawn
    std::string marked_label;
    std::vector<ChartSeries> series;
    // Explains the chart; printed below it on a page of figures (the HTML report prints it as text).
    std::string caption;
};

struct ChartSize {
    double width = 0, height = 0;
};

// Returns a complete <svg> without title and caption.
std::string chart_svg(const Chart& chart);
// Returns the same chart as a <g> that can be placed in another drawing; chart_size() is its size.
std::string chart_group(const Chart& chart);
ChartSize chart_size(const Chart& chart);

// Returns a self-contained file of charts below each other, each under its title. An empty `banner` is left out; long
// texts are wrapped.
std::string svg_page(const std::string& head, const std::string& banner, const std::vector<Chart>& charts);

// Returns the colour of a style, for text or marks beside a chart.
std::string style_colour(std::size_t style);

}  // namespace longbow
