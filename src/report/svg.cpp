#include "longbow/report/svg.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "svg_axis.h"
#include "svg_text.h"

namespace longbow {

namespace {

constexpr double kPlotWidth = 536, kPlotHeight = 326;
constexpr double kLeft = 64, kTop = 18, kBottom = 56;
constexpr double kLabelGap = 17;                       // least distance between the baselines of two labels
constexpr double kLabelSize = 14, kLabelIndent = 27;   // of the labels at the lines' ends
constexpr double kLabelLeast = 106, kLabelMost = 300;  // their width

// Colours that people with any common colour vision can tell apart, with a contrast of at least 3:1 on white (after
// Okabe and Ito, and Tol).
constexpr const char* kColours[] = {"#0072b2", "#d55e00", "#117a4f", "#9b3fa0",
                                    "#5a4a00", "#c0396b", "#2f2f8f", "#666666"};
constexpr std::size_t kMarkers = 4;

std::string line(double x1, double y1, double x2, double y2, const std::string& paint) {
    return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" ", x1, y1, x2, y2) + paint +
           "/>\n";
}

std::string stroke(const char* colour, double width = 1, const char* more = "") {
    return fmt::format("stroke=\"{}\" stroke-width=\"{:g}\"{}", colour, width, more);
}

// Styles beyond the number of colours reuse the colours with other markers.
std::string marker(std::size_t style, double x, double y, const std::string& note, bool weak = false) {
    const auto colour = style_colour(style);
    const auto paint = weak ? " fill=\"#ffffff\" stroke=\"" + colour + "\" stroke-width=\"1.2\""
                            : " fill=\"" + colour + "\" stroke=\"#ffffff\" stroke-width=\"1.5\"";
    const auto rest = paint + (note.empty() ? std::string("/>\n") : "><title>" + escape_html(note) + "</title>");
    const auto closed = [&](const std::string& element, const std::string& place) {
        return "<" + element + place + rest + (note.empty() ? "" : "</" + element + ">\n");
    };
    switch ((style + style / std::size(kColours)) % kMarkers) {
        case 0: return closed("circle", fmt::format(" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:g}\"", x, y, weak ? 3.0 : 5.0));
        case 1:
            return closed("rect", fmt::format(" x=\"{:.1f}\" y=\"{:.1f}\" width=\"9\" height=\"9\"", x - 4.5, y - 4.5));
        case 2: return closed("path", fmt::format(" d=\"M{:.1f} {:.1f}l5.5 9.5h-11z\"", x, y - 6));
        default: return closed("path", fmt::format(" d=\"M{:.1f} {:.1f}l6 6l-6 6l-6 -6z\"", x, y - 6));
    }
}

// Baselines for labels that should be at the `wanted` heights: they keep their order of height and are moved as little
// as possible so that they do not overlap.
std::vector<double> spread_labels(const std::vector<double>& wanted, double low, double high) {
    std::vector<std::size_t> order(wanted.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return wanted[a] < wanted[b]; });
    std::vector<double> placed(wanted.size());
    double next = low;
    for (const auto i : order) {
        placed[i] = std::max(wanted[i], next);
        next = placed[i] + kLabelGap;
    }
    double limit = high;
    for (auto it = order.rbegin(); it != order.rend(); ++it) {
        placed[*it] = std::min(placed[*it], limit);
        limit = placed[*it] - kLabelGap;
    }
    return placed;
}

std::vector<std::string> labels_of(const Chart& chart) {
    std::vector<std::string> labels;
    for (const auto& series : chart.series) labels.push_back(series.label);
    return shortened(labels, kLabelMost, kLabelSize);
}

double label_width(const Chart& chart) {
    double width = kLabelLeast;
    for (const auto& label : labels_of(chart)) width = std::max(width, text_width(label, kLabelSize));
    return width;
}

double plot_height(const Chart& chart) {
    return std::max(kPlotHeight, kLabelGap * static_cast<double>(chart.series.size() + 1));
}

// Draws one chart.
class Drawing {
public:
    explicit Drawing(const Chart& chart)
        : chart_(chart),
          x_(axis_over(chart.series, true, chart.log_x, kLeft, kLeft + kPlotWidth)),
          y_(axis_over(chart.series, false, chart.log_y, kTop + plot_height(chart), kTop)) {}

    [[nodiscard]] std::string all() const {
        std::string svg = grid() + mark();
        for (const auto& series : chart_.series) svg += error_bars(series);
        for (const auto& series : chart_.series) svg += series.line ? lines(series) : "";
        for (const auto& series : chart_.series) svg += points(series);
        return svg + labels();
    }

private:
    [[nodiscard]] std::string grid() const {
        std::string svg;
        for (const double tick : y_ticks_of(y_)) {
            svg += line(x_.begin, y_.map(tick), x_.end, y_.map(tick), stroke("#e6e9ef"));
            svg += svg_text(x_.begin - 9, y_.map(tick) + 4.5, tick_text(tick), {.anchor = "end"});
        }
        const auto ticks = x_ticks_of(chart_, x_);
        const auto shown = labelled_ticks(ticks, x_);
        for (std::size_t i = 0; i < ticks.size(); ++i) {
            const double at = x_.map(ticks[i]);
            svg += line(at, y_.begin, at, y_.begin + 5, stroke(kSoftInk));
            if (shown[i]) svg += svg_text(at, y_.begin + 21, tick_text(ticks[i]), {.anchor = "middle"});
        }
        svg += line(x_.begin, y_.begin, x_.end, y_.begin, stroke(kSoftInk));
        svg += svg_text((x_.begin + x_.end) / 2, y_.begin + kBottom - 10, chart_.x_label,
                        {.anchor = "middle", .colour = kInk});
        const auto turned = fmt::format("translate(16 {:.1f}) rotate(-90)", (y_.begin + y_.end) / 2);
        return svg + svg_text(0, 0, chart_.y_label, {.anchor = "middle", .colour = kInk, .transform = turned});
    }

    [[nodiscard]] std::string mark() const {
        if (!chart_.marked_x || *chart_.marked_x < x_.low || *chart_.marked_x > x_.high) return "";
        const double at = x_.map(*chart_.marked_x);
        return line(at, y_.begin, at, y_.end, stroke("#8a93a2", 1, " stroke-dasharray=\"4 4\"")) +
               svg_text(at + 6, y_.end + 10, chart_.marked_label, {.colour = kPaleInk});
    }

    [[nodiscard]] bool shown(const ChartSeries& series, std::size_t i) const {
        return x_.shows(series.x[i]) && y_.shows(series.y[i]);
    }

    [[nodiscard]] std::string error_bars(const ChartSeries& series) const {
        std::string svg;
        const auto paint =
            "class=\"error-bar\" " + stroke(style_colour(series.style).c_str(), 1.3, " stroke-opacity=\"0.6\"");
        for (std::size_t i = 0; i < series.low.size() && i < series.high.size(); ++i) {
            if (!shown(series, i) || !y_.shows(series.low[i]) || !y_.shows(series.high[i])) continue;
            const double x = x_.map(series.x[i]), low = y_.map(series.low[i]), high = y_.map(series.high[i]);
            svg += line(x, low, x, high, paint) + line(x - 4, low, x + 4, low, paint) +
                   line(x - 4, high, x + 4, high, paint);
        }
        return svg;
    }

    [[nodiscard]] std::string lines(const ChartSeries& series) const {
        std::string svg, points;
        const auto paint = fmt::format(
            "<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"{}\"{} stroke-linejoin=\"round\" points=\"",
            style_colour(series.style), series.markers ? "2.5" : "1.8",
            series.dashed ? " stroke-dasharray=\"5 4\"" : "");
        const auto finish = [&] {
            if (points.find(' ') != std::string::npos) svg += paint + points + "\"/>\n";
            points.clear();
        };
        for (std::size_t i = 0; i < series.x.size(); ++i) {
            if (shown(series, i))
                points +=
                    fmt::format("{}{:.1f},{:.1f}", points.empty() ? "" : " ", x_.map(series.x[i]), y_.map(series.y[i]));
            else
                finish();
        }
        finish();
        return svg;
    }

    [[nodiscard]] std::string points(const ChartSeries& series) const {
        std::string svg;
        for (std::size_t i = 0; i < series.x.size(); ++i) {
            const bool weak = i < series.weak.size() && series.weak[i];
            if (!shown(series, i) || (!series.markers && !weak)) continue;
            svg += marker(series.style, x_.map(series.x[i]), y_.map(series.y[i]),
                          i < series.notes.size() ? series.notes[i] : "", weak);
        }
        return svg;
    }

    [[nodiscard]] std::string labels() const {
        std::vector<double> ends, starts;
        for (const auto& series : chart_.series) {
            starts.push_back(x_.end);
            ends.push_back(y_.end + 10);
            for (std::size_t i = 0; i < series.x.size(); ++i) {
                if (!shown(series, i)) continue;
                starts.back() = x_.map(series.x[i]);
                ends.back() = y_.map(series.y[i]) + 5;
            }
        }
        const auto places = spread_labels(ends, y_.end + 10, y_.begin);
        const auto texts = labels_of(chart_);
        std::string svg;
        for (std::size_t i = 0; i < texts.size(); ++i) {
            const auto& series = chart_.series[i];
            if (texts[i].empty()) continue;
            // Draws a leader line where the label could not stay beside its line.
            if (std::abs(places[i] - ends[i]) > 3 || x_.end - starts[i] > 24)
                svg += line(starts[i] + 7, ends[i] - 5, x_.end + 8, places[i] - 5, stroke("#b4bbc7"));
            if (series.markers || !series.dashed) svg += marker(series.style, x_.end + 16, places[i] - 5, "");
            svg += svg_text(x_.end + kLabelIndent, places[i], texts[i], {.colour = kInk, .size = kLabelSize});
        }
        return svg;
    }

    const Chart& chart_;
    Axis x_, y_;
};

constexpr double kMargin = 16;
constexpr const char* kWarning = "#a02020";

// Stacks texts and charts below each other.
class Column {
public:
    explicit Column(double width) : width_(width) {}
    void text(const std::string& text, const TextStyle& style, double before) {
        top_ += text.empty() ? 0 : before;
        for (const auto& one : wrapped_text(text, width_ - 2 * kMargin, style.bold ? style.size * 1.1 : style.size)) {
            top_ += style.size * 1.35;
            body_ += svg_text(kMargin, top_, one, style);
        }
    }
    void chart(const Chart& chart) {
        body_ += fmt::format("<g transform=\"translate(0 {:.1f})\">\n", top_ + 6) + chart_group(chart) + "</g>\n";
        top_ += 6 + chart_size(chart).height;
    }
    [[nodiscard]] std::string page(const std::string& label) const {
        return svg_open(width_, top_ + kMargin, label) + body_ + "</svg>\n";
    }

private:
    double width_, top_ = 6;
    std::string body_;
};

}  // namespace

std::string style_colour(std::size_t style) { return kColours[style % std::size(kColours)]; }

ChartSize chart_size(const Chart& chart) {
    return {std::ceil(kLeft + kPlotWidth + kLabelIndent + label_width(chart) + 8), kTop + plot_height(chart) + kBottom};
}

std::string chart_group(const Chart& chart) { return "<g>\n" + Drawing(chart).all() + "</g>\n"; }

std::string chart_svg(const Chart& chart) {
    const auto size = chart_size(chart);
    return svg_open(size.width, size.height, chart.title) + chart_group(chart) + "</svg>\n";
}

std::string svg_page(const std::string& head, const std::string& banner, const std::vector<Chart>& charts) {
    double width = 600;
    for (const auto& chart : charts) width = std::max(width, chart_size(chart).width);
    Column column(width);
    column.text(head, {.colour = kInk, .size = 16, .bold = true}, 4);
    column.text(banner, {.colour = kWarning, .size = 12, .bold = true}, 2);
    for (const auto& chart : charts) {
        column.text(chart.title, {.colour = kInk, .size = 13.5, .bold = true},
                    head.empty() && &chart == &charts.front() ? 4 : 20);
        column.chart(chart);
        column.text(chart.caption, {.colour = kPaleInk, .size = 11.5}, 0);
    }
    return column.page(head.empty() && !charts.empty() ? charts.front().title : head);
}

}  // namespace longbow
