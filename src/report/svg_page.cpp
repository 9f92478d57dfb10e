#include <algorithm>

#include "longbow/core/strings.h"
#include "longbow/report/svg.h"
#include "svg_text.h"

namespace longbow {

namespace {

constexpr double kMargin = 16;
constexpr const char* kWarning = "#a02020";

// Parts below each other.
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
        body_ += strprintf("<g transform=\"translate(0 %.1f)\">\n", top_ + 6) + chart_group(chart) + "</g>\n";
        top_ += 6 + chart_size(chart).height;
    }
    [[nodiscard]] std::string page(const std::string& label) const { return svg_open(width_, top_ + kMargin, label) + body_ + "</svg>\n"; }

private:
    double width_, top_ = 6;
    std::string body_;
};

}  // namespace

std::string svg_page(const std::string& head, const std::string& banner, const std::vector<Chart>& charts) {
    double width = 600;
    for (const auto& chart : charts) width = std::max(width, chart_size(chart).width);
    Column column(width);
    column.text(head, {.colour = kInk, .size = 16, .bold = true}, 4);
    column.text(banner, {.colour = kWarning, .size = 12, .bold = true}, 2);
    for (const auto& chart : charts) {
        column.text(chart.title, {.colour = kInk, .size = 13.5, .bold = true}, head.empty() && &chart == &charts.front() ? 4 : 20);
        column.chart(chart);
        column.text(chart.caption, {.colour = kPaleInk, .size = 11.5}, 0);
    }
    return column.page(head.empty() && !charts.empty() ? charts.front().title : head);
}

}  // namespace longbow
