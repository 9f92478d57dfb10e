#include "svg.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "longbow/core/strings.h"

namespace longbow {

namespace {

constexpr double kWidth = 760, kHeight = 400;
constexpr double kLeft = 64, kRight = 160, kTop = 18, kBottom = 56;
constexpr double kLabelGap = 17;  // least distance of two labels' base lines

// Told apart by people with any common colour vision and at least 3:1 on white (after Okabe and Ito, and Tol).
constexpr const char* kColours[] = {"#0072b2", "#d55e00", "#117a4f", "#9b3fa0", "#5a4a00", "#c0396b", "#2f2f8f", "#666666"};

// One axis: values to pixels.
struct Axis {
    double low = 0, high = 1, begin = 0, end = 1;
    bool log = false;
    [[nodiscard]] double map(double value) const {
        const double l = log ? std::log2(low) : low;
        const double h = log ? std::log2(high) : high;
        const double v = log ? std::log2(value) : value;
        return begin + (v - l) / (h - l) * (end - begin);
    }
};

std::string tick_text(double value) {
    if (value >= 1000 && value == std::floor(value)) return with_commas(static_cast<std::int64_t>(value));
    return strprintf("%g", value);
}

// About `count` round steps (1, 2, 5 times a power of ten) over [low, high].
std::vector<double> linear_ticks(double low, double high, int count) {
    const double raw = (high - low) / count;
    const double power = std::pow(10.0, std::floor(std::log10(raw)));
    double step = power * 10;
    for (const double factor : {1.0, 2.0, 5.0}) {
        if (factor * power >= raw) {
            step = factor * power;
            break;
        }
    }
    std::vector<double> ticks;
    for (double i = std::ceil(low / step - 1e-9); i * step <= high * (1 + 1e-9) + 1e-12; ++i)
        ticks.push_back(std::abs(i * step) < step * 1e-9 ? 0 : i * step);
    return ticks;
}

std::vector<double> power_ticks(double low, double high) {
    std::vector<double> ticks;
    for (double value = std::exp2(std::ceil(std::log2(low) - 1e-9)); value <= high * (1 + 1e-9); value *= 2) ticks.push_back(value);
    while (ticks.size() > 9) {
        std::vector<double> half;
        for (std::size_t i = 0; i < ticks.size(); i += 2) half.push_back(ticks[i]);
        ticks = half;
    }
    return ticks;
}

std::string marker(std::size_t style, double x, double y, const std::string& note) {
    const auto* colour = kColours[style % std::size(kColours)];
    const std::string paint = strprintf(" fill=\"%s\" stroke=\"#fff\" stroke-width=\"1.5\"", colour);
    const std::string title = note.empty() ? "" : "<title>" + escape_html(note) + "</title>";
    switch (style % 4) {
        case 0: return strprintf("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"5\"", x, y) + paint + ">" + title + "</circle>\n";
        case 1:
            return strprintf("<rect x=\"%.1f\" y=\"%.1f\" width=\"9\" height=\"9\"", x - 4.5, y - 4.5) + paint + ">" + title + "</rect>\n";
        case 2: return strprintf("<path d=\"M%.1f %.1fl5.5 9.5h-11z\"", x, y - 6) + paint + ">" + title + "</path>\n";
        default: return strprintf("<path d=\"M%.1f %.1fl6 6l-6 6l-6 -6z\"", x, y - 6) + paint + ">" + title + "</path>\n";
    }
}

std::string text_at(double x, double y, const std::string& anchor, const std::string& text, const std::string& extra = "") {
    return strprintf("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"", x, y, anchor.c_str()) + extra + ">" + escape_html(text) +
           "</text>\n";
}

// Base lines for labels at the wanted heights, moved apart as little as it takes (in order of height).
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

Axis axis_over(const std::vector<ChartSeries>& series, bool of_x, bool log, double begin, double end) {
    Axis axis;
    axis.log = log;
    axis.begin = begin;
    axis.end = end;
    axis.low = std::numeric_limits<double>::infinity();
    axis.high = -axis.low;
    for (const auto& one : series) {
        for (const double value : of_x ? one.x : one.y) {
            axis.low = std::min(axis.low, value);
            axis.high = std::max(axis.high, value);
        }
    }
    const double room = of_x ? 0.03 : 0.08;  // so that no marker sits on the frame
    if (log) {
        const double ratio = axis.high > axis.low ? std::pow(axis.high / axis.low, room) : 2;
        axis.low /= ratio;
        axis.high *= ratio;
    } else {
        const double pad = axis.high > axis.low ? (axis.high - axis.low) * room : std::max(1.0, std::abs(axis.high) * 0.1);
        axis.low -= pad;
        axis.high += pad;
    }
    return axis;
}

// Ticks whose numbers stand free of each other: the last one, and from the left every one that there is room for.
std::vector<bool> labelled(const std::vector<double>& ticks, const Axis& x) {
    constexpr double kDigit = 7.8, kGap = 6;
    std::vector<bool> shown(ticks.size(), false);
    if (ticks.empty()) return shown;
    const auto half = [](double tick) { return 0.5 * kDigit * static_cast<double>(tick_text(tick).size()); };
    shown.back() = true;
    const double end = x.map(ticks.back()) - half(ticks.back()) - kGap;
    double free_from = x.begin - 100;
    for (std::size_t i = 0; i + 1 < ticks.size(); ++i) {
        const double at = x.map(ticks[i]);
        if (at - half(ticks[i]) < free_from || at + half(ticks[i]) > end) continue;
        shown[i] = true;
        free_from = at + half(ticks[i]) + kGap;
    }
    return shown;
}

std::string grid(const Chart& chart, const Axis& x, const Axis& y) {
    std::string svg;
    for (const double tick : y.log ? power_ticks(y.low, y.high) : linear_ticks(y.low, y.high, 6)) {
        const double at = y.map(tick);
        svg += strprintf("<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", x.begin, at, x.end, at);
        svg += text_at(x.begin - 9, at + 4.5, "end", tick_text(tick));
    }
    const auto ticks = !chart.x_ticks.empty() ? chart.x_ticks
                       : x.log                ? power_ticks(x.low, x.high)
                                              : linear_ticks(std::max(0.0, x.low), x.high, 6);
    const auto shown = labelled(ticks, x);
    for (std::size_t i = 0; i < ticks.size(); ++i) {
        const double at = x.map(ticks[i]);
        svg += strprintf("<line class=\"tick\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", at, y.begin, at, y.begin + 5);
        if (shown[i]) svg += text_at(at, y.begin + 21, "middle", tick_text(ticks[i]));
    }
    svg += strprintf("<line class=\"axis\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", x.begin, y.begin, x.end, y.begin);
    svg += text_at((x.begin + x.end) / 2, kHeight - 10, "middle", chart.x_label, " class=\"label\"");
    svg += text_at(0, 0, "middle", chart.y_label,
                   strprintf(" class=\"label\" transform=\"translate(16 %.1f) rotate(-90)\"", (y.begin + y.end) / 2));
    return svg;
}

}  // namespace

std::string escape_html(const std::string& text) {
    std::string escaped;
    for (const char c : text) {
        switch (c) {
            case '&': escaped += "&amp;"; break;
            case '<': escaped += "&lt;"; break;
            case '>': escaped += "&gt;"; break;
            case '"': escaped += "&quot;"; break;
            default: escaped += c;
        }
    }
    return escaped;
}

std::string style_colour(std::size_t style) { return kColours[style % std::size(kColours)]; }

std::string chart_svg(const Chart& chart) {
    const auto x = axis_over(chart.series, true, chart.log_x, kLeft, kWidth - kRight);
    const auto y = axis_over(chart.series, false, chart.log_y, kHeight - kBottom, kTop);
    std::string svg =
        strprintf("<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\">\n", kWidth, kHeight, escape_html(chart.title).c_str());
    svg += grid(chart, x, y);
    if (chart.marked_x && *chart.marked_x >= x.low && *chart.marked_x <= x.high) {
        const double at = x.map(*chart.marked_x);
        svg += strprintf("<line class=\"mark\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", at, y.begin, at, y.end);
        svg += text_at(at + 6, y.end + 10, "start", chart.marked_label, " class=\"marked\"");
    }
    std::vector<double> ends;
    for (const auto& series : chart.series) {
        std::string points;
        for (std::size_t i = 0; i < series.x.size(); ++i)
            points += strprintf("%s%.1f,%.1f", i == 0 ? "" : " ", x.map(series.x[i]), y.map(series.y[i]));
        if (series.line) {
            svg += "<polyline fill=\"none\" stroke=\"" + style_colour(series.style) + "\" stroke-width=\"" +
                   (series.markers ? "2.5" : "1.8") + (series.dashed ? "\" stroke-dasharray=\"5 4" : "") +
                   "\" stroke-linejoin=\"round\" points=\"" + points + "\"/>\n";
        }
        ends.push_back(y.map(series.y.back()) + 5);
    }
    for (const auto& series : chart.series) {
        for (std::size_t i = 0; series.markers && i < series.x.size(); ++i) {
            svg += marker(series.style, x.map(series.x[i]), y.map(series.y[i]), i < series.notes.size() ? series.notes[i] : "");
        }
    }
    const auto places = spread_labels(ends, y.end + 10, y.begin);
    for (std::size_t i = 0; i < chart.series.size(); ++i) {
        const auto& series = chart.series[i];
        if (series.label.empty()) continue;
        const double from = x.map(series.x.back());
        if (std::abs(places[i] - ends[i]) > 3 || x.end - from > 12) {  // a leader where the label could not stay beside its line
            svg += strprintf("<line class=\"leader\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", from + 7, ends[i] - 5, x.end + 8,
                             places[i] - 5);
        }
        if (series.markers || !series.dashed) svg += marker(series.style, x.end + 16, places[i] - 5, "");
        svg += text_at(x.end + 27, places[i], "start", series.label, " class=\"series\"");
    }
    return svg + "</svg>\n";
}

}  // namespace longbow
