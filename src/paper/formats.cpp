// Writes the paper's tables as Markdown, CSV, LaTeX, JSON and HTML. Where we have measurements, each of the paper's
// rows becomes up to four lines: ours, its interval, the paper's, the difference.
#include "longbow/paper/formats.h"

#include <algorithm>

#include "longbow/core/error.h"
#include "longbow/core/json.h"
#include "longbow/core/json_text.h"
#include "longbow/core/strings.h"
#include "longbow/report/escape.h"
#include "longbow/report/html_page.h"
#include "longbow/report/text_table.h"
#include "paper_grid.h"

namespace longbow {

namespace {

using Line = std::vector<std::string>;

struct Lines {
    Line header;
    std::vector<Line> rows;
    std::size_t labels = 0;  // number of text columns before the numbers
};

Lines lines_of(const Grid& grid, const std::string& none) {
    Lines lines;
    lines.header = grid.label_headings;
    if (grid.has_ours) lines.header.emplace_back("");
    lines.labels = lines.header.size();
    lines.header.insert(lines.header.end(), grid.headings.begin(), grid.headings.end());
    const auto add = [&](const GridRow& row, const char* source, std::string GridCell::*part, bool first) {
        const bool any = std::any_of(row.cells.begin(), row.cells.end(),
                                     [&](const GridCell& cell) { return !(cell.*part).empty(); });
        if (!any && !first) return false;
        auto line = first ? row.labels : Line(row.labels.size());
        if (grid.has_ours) line.emplace_back(source);
        for (const auto& cell : row.cells) line.push_back((cell.*part).empty() ? none : cell.*part);
        lines.rows.push_back(std::move(line));
        return true;
    };
    for (const auto& row : grid.rows) {
        const bool ours =
            std::any_of(row.cells.begin(), row.cells.end(), [](const GridCell& cell) { return !cell.ours.empty(); });
        if (ours) {
            add(row, "ours", &GridCell::ours, true);
            add(row, "95 %", &GridCell::interval, false);
        }
        add(row, "paper", &GridCell::paper, !ours);
        if (ours) add(row, "difference", &GridCell::difference, false);
    }
    return lines;
}

TextTable text_of(const Grid& grid, const std::string& none, std::string (*escape)(const std::string&)) {
    const auto lines = lines_of(grid, none);
    TextTable text;
    for (const auto& heading : lines.header) {
        text.left.push_back(text.left.size() < lines.labels);
        text.header.push_back(escape(heading));
    }
    for (const auto& line : lines.rows) {
        auto& cells = text.rows.emplace_back();
        for (const auto& cell : line) cells.push_back({escape(cell)});
    }
    return text;
}

std::string markdown(const Grid& grid) {
    std::string text = "### " + escape_markdown(grid.title) + "\n\n";
    if (!grid.banner.empty()) text += "**" + escape_markdown(grid.banner) + "**\n\n";
    auto table = text_of(grid, "–", escape_markdown);
    // Of the label columns, lengths are numbers and aligned right; only the first column and the one that says "ours"
    // or "paper" stay left.
    for (std::size_t i = 1; i < grid.label_headings.size(); ++i) table.left[i] = false;
    text += markdown_table(table);
    for (const auto& note : grid.notes) text += "\n" + escape_markdown(note) + "\n";
    return text;
}

// Writes one line for each cell: the labels, the column, and the numbers.
std::string csv(const Grid& grid, const std::string& name) {
    Line header = grid.label_headings;
    header.insert(header.end(), {"column", "ours", "interval_95", "paper", "difference", "scale", "corpus"});
    std::string text = csv_line(header);
    for (const auto& row : grid.rows) {
        for (std::size_t i = 0; i < row.cells.size(); ++i) {
            const auto& cell = row.cells[i];
            auto line = row.labels;
            line.insert(line.end(), {grid.headings[i], cell.ours, cell.interval, cell.paper, cell.difference,
                                     grid.banner.empty() ? "paper" : grid.banner, cell.corpus});
            text += csv_line(line);
        }
    }
    return "# " + name + "\n" + text;
}

std::string latex(const Grid& grid) {
    return kLatexPackages + latex_table(text_of(grid, "--", latex_cell), escape_latex(grid.title + " " + grid.banner));
}

std::string json(const Grid& grid, const std::string& name, const std::string& scale) {
    Json out{{"table", name},         {"title", grid.title}, {"scale", scale},
             {"banner", grid.banner}, {"notes", grid.notes}, {"cells", Json::array()}};
    for (const auto& row : grid.rows) {
        Json labels;
        for (std::size_t i = 0; i < row.labels.size(); ++i) labels[grid.label_headings[i]] = row.labels[i];
        for (std::size_t i = 0; i < row.cells.size(); ++i) {
            const auto& cell = row.cells[i];
            const auto text = [](const std::string& value) { return value.empty() ? Json(nullptr) : Json(value); };
            out["cells"].push_back({{"row", labels},
                                    {"column", grid.headings[i]},
                                    {"ours", text(cell.ours)},
                                    {"interval_95", text(cell.interval)},
                                    {"paper", text(cell.paper)},
                                    {"difference", text(cell.difference)},
                                    {"corpus", text(cell.corpus)}});
        }
    }
    return json_text(out, 2) + "\n";
}

std::string html(const Grid& grid) {
    std::string body = "<header><h1>" + escape_html(grid.title) + "</h1>\n";
    if (!grid.banner.empty()) body += "<p><strong>" + escape_html(grid.banner) + "</strong></p>\n";
    body += "</header>\n" + html_table(text_of(grid, "–", escape_html));
    for (const auto& note : grid.notes) body += "<p>" + escape_html(note) + "</p>\n";
    return html_page(grid.title, body);
}

}  // namespace

std::string render_grid(const Grid& grid, const std::string& name, const std::string& scale, TextFormat format) {
    switch (format) {
        case TextFormat::markdown: return markdown(grid);
        case TextFormat::csv: return csv(grid, name);
        case TextFormat::latex: return latex(grid);
        case TextFormat::json: return json(grid, name, scale);
        case TextFormat::html: return html(grid);
    }
    return "";
}

std::string render_paper_table(const PublishedTable& table, const Scale& scale, const Lookup& ours, TextFormat format) {
    return render_grid(make_grid(table, scale, ours), table.name, scale.name, format);
}

}  // namespace longbow
