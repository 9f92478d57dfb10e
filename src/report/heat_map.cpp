#include "longbow/report/heat_map.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "longbow/core/strings.h"
#include "longbow/report/escape.h"
#include "svg_text.h"

namespace longbow {

namespace {

constexpr double kCellWidth = 56, kCellHeight = 34, kMargin = 16;
constexpr double kTitleSize = 13.5, kCaptionSize = 11.5;
constexpr int kLeastColour[] = {0xf4, 0xf7, 0xfb}, kMostColour[] = {0x00, 0x4a, 0x80};
constexpr double kDark = 0.45;  // numbers are white on cells from here on, with a contrast of at least 4.5:1

std::string colour_of(double share) {
    int rgb[3];
    for (int i = 0; i < 3; ++i)
        rgb[i] = static_cast<int>(std::lround(kLeastColour[i] + share * (kMostColour[i] - kLeastColour[i])));
    return fmt::format("#{:02x}{:02x}{:02x}", rgb[0], rgb[1], rgb[2]);
}

double heading_width(const HeatMap& map) {
    double width = 40;
    for (const auto& row : map.rows) width = std::max(width, text_width(row, 13));
    return width + 34;  // with the label beside them
}

double width_of(const HeatMap& map) {
    return heading_width(map) + kCellWidth * static_cast<double>(map.columns.size()) + 2 * kMargin;
}

std::string cell(double x, double y, const std::optional<double>& share, const std::string& note) {
    const auto paint = share ? "fill=\"" + colour_of(std::clamp(*share, 0.0, 1.0)) + "\" stroke=\"#ffffff\""
                             : std::string("fill=\"#ffffff\" stroke=\"#c5cbd6\"");
    auto svg = fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:g}\" height=\"{:g}\" {}", x, y, kCellWidth,
                           kCellHeight, paint);
    svg += note.empty() ? "/>\n" : "><title>" + escape_html(note) + "</title></rect>\n";
    if (!share) return svg;
    return svg + svg_text(x + kCellWidth / 2, y + kCellHeight / 2 + 4.5, fmt::format("{:.2f}", *share),
                          {.anchor = "middle", .colour = *share >= kDark ? "#ffffff" : kInk});
}

// Draws a map from `top` down and moves that below it.
std::string drawn(const HeatMap& map, double& top) {
    const auto width = width_of(map) - 2 * kMargin;
    std::string svg;
    const auto text = [&](const std::string& words, const TextStyle& style) {
        for (const auto& line : wrapped_text(words, width, style.bold ? style.size * 1.1 : style.size)) {
            top += style.size * 1.35;
            svg += svg_text(kMargin, top, line, style);
        }
    };
    text(map.title, {.colour = kInk, .size = kTitleSize, .bold = true});
    top += 10;
    const double left = kMargin + heading_width(map), first = top;
    for (std::size_t row = 0; row < map.rows.size(); ++row, top += kCellHeight) {
        svg += svg_text(left - 8, top + kCellHeight / 2 + 4.5, map.rows[row], {.anchor = "end"});
        for (std::size_t column = 0; column < map.columns.size(); ++column)
            svg += cell(left + kCellWidth * static_cast<double>(column), top, map.cells[row][column],
                        map.notes.empty() ? "" : map.notes[row][column]);
    }
    for (std::size_t column = 0; column < map.columns.size(); ++column)
        svg += svg_text(left + kCellWidth * (static_cast<double>(column) + 0.5), top + 18, map.columns[column],
                        {.anchor = "middle"});
    svg += svg_text(left + kCellWidth * static_cast<double>(map.columns.size()) / 2, top + 38, map.x_label,
                    {.anchor = "middle", .colour = kInk});
    const auto turned = fmt::format("translate({:.1f} {:.1f}) rotate(-90)", kMargin + 12, (first + top) / 2);
    svg += svg_text(0, 0, map.y_label, {.anchor = "middle", .colour = kInk, .transform = turned});
    top += 44;
    text(map.caption, {.colour = kPaleInk, .size = kCaptionSize});
    top += 18;
    return svg;
}

}  // namespace

std::string heat_map_svg(const std::vector<HeatMap>& maps) {
    double width = 0, top = 6;
    std::string body;
    for (const auto& map : maps) {
        width = std::max(width, width_of(map));
        body += drawn(map, top);
    }
    return svg_open(std::ceil(width), std::ceil(top), maps.empty() ? "" : maps.front().title) + body + "</svg>\n";
}

HeatMap depth_map(const std::string& title, const std::vector<Json>& rows) {
    struct Count {
        double exact = 0, items = 0;
    };
    std::map<std::pair<std::int64_t, std::int64_t>, std::vector<Count>> counts;  // by lengths, then by depth
    HeatMap map;
    map.title = title;
    map.x_label = "depth, from the start (0.0) to the end";
    std::int64_t seeds = 0;
    for (const auto& row : rows) {
        if (!row.contains("depths")) continue;
        map.y_label = row["symbol"].get<std::string>();
        const auto& depths = row["depths"];
        auto& bins = counts[{row["lengths"][0].get<std::int64_t>(), row["lengths"][1].get<std::int64_t>()}];
        bins.resize(depths.size());
        for (std::size_t bin = 0; bin < depths.size(); ++bin) {
            const auto items = depths[bin]["items"].get<double>();
            if (items == 0) continue;
            bins[bin].items += items;
            bins[bin].exact += items * depths[bin]["exact_match"].get<double>();
        }
        if (map.columns.empty()) {
            for (const auto& bin : depths) map.columns.push_back(fmt::format("{:.1f}", bin["from"].get<double>()));
        }
        seeds += row["lengths"] == rows.front()["lengths"] ? 1 : 0;
    }
    for (const auto& [lengths, bins] : counts) {
        map.rows.push_back(fmt::format("{} to {}", lengths.first, lengths.second));
        auto& cells = map.cells.emplace_back();
        auto& notes = map.notes.emplace_back();
        for (std::size_t bin = 0; bin < bins.size(); ++bin) {
            const auto& [exact, items] = bins[bin];
            cells.push_back(items > 0 ? std::optional(exact / items) : std::nullopt);
            notes.push_back(fmt::format("{} {}, depth from {}: {} of {} items", map.rows.back(), map.y_label,
                                        map.columns[bin], with_commas(std::llround(exact)),
                                        with_commas(std::llround(items))));
        }
    }
    map.caption = "Exact match of needles by length and depth" +
                  (seeds > 1 ? fmt::format(", over {} seeds", seeds) : "") + ". An empty cell has no item.";
    return map;
}

}  // namespace longbow
