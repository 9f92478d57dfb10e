// The paper's tables as Markdown, CSV, LaTeX, JSON and HTML. Where we have measured, each of the paper's rows becomes up to four lines: ours,
// its interval, the paper's, the difference.
#include "longbow/paper/formats.h"

#include <algorithm>

#include "longbow/core/error.h"
#include "longbow/core/json.h"
#include "longbow/core/json_text.h"
#include "longbow/core/strings.h"
#include "longbow/report/escape.h"
#include "longbow/report/page_style.h"
#include "paper_grid.h"

namespace longbow {

namespace {

using Line = std::vector<std::string>;

struct Lines {
    Line header;
    std::vector<Line> rows;
    std::size_t labels = 0;  // columns of text before the numbers
};

Lines lines_of(const Grid& grid, const std::string& none) {
    Lines lines;
    lines.header = grid.label_headings;
    if (grid.has_ours) lines.header.emplace_back("");
    lines.labels = lines.header.size();
    lines.header.insert(lines.header.end(), grid.headings.begin(), grid.headings.end());
    const auto add = [&](const GridRow& row, const char* source, std::string GridCell::*part, bool first) {
        const bool any = std::any_of(row.cells.begin(), row.cells.end(), [&](const GridCell& cell) { return !(cell.*part).empty(); });
        if (!any && !first) return false;
        auto line = first ? row.labels : Line(row.labels.size());
        if (grid.has_ours) line.emplace_back(source);
        for (const auto& cell : row.cells) line.push_back((cell.*part).empty() ? none : cell.*part);
        lines.rows.push_back(std::move(line));
        return true;
    };
    for (const auto& row : grid.rows) {
        const bool ours = std::any_of(row.cells.begin(), row.cells.end(), [](const GridCell& cell) { return !cell.ours.empty(); });
        if (ours) {
            add(row, "ours", &GridCell::ours, true);
            add(row, "95 %", &GridCell::interval, false);
        }
        add(row, "paper", &GridCell::paper, !ours);
        if (ours) add(row, "difference", &GridCell::difference, false);
    }
    return lines;
}

std::string markdown(const Grid& grid) {
    const auto lines = lines_of(grid, "–");
    std::string text = "### " + escape_markdown(grid.title) + "\n\n";
    if (!grid.banner.empty()) text += "**" + escape_markdown(grid.banner) + "**\n\n";
    const auto row_text = [](const Line& row) {
        Line escaped;
        for (const auto& cell : row) escaped.push_back(escape_markdown(cell));
        return "| " + join(escaped, " | ") + " |\n";
    };
    text += row_text(lines.header) + "|";
    for (std::size_t i = 0; i < lines.header.size(); ++i) text += i == 0 || (grid.has_ours && i + 1 == lines.labels) ? "---|" : "---:|";
    text += "\n";
    for (const auto& row : lines.rows) text += row_text(row);
    for (const auto& note : grid.notes) text += "\n" + escape_markdown(note) + "\n";
    return text;
}

// A line a cell: the labels, the column, and the numbers.
std::string csv(const Grid& grid, const PublishedTable& table) {
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
    return "# " + table.name + "\n" + text;
}

std::string latex(const Grid& grid) {
    const auto lines = lines_of(grid, "--");
    std::string text = "% needs \\usepackage{booktabs}\n\\begin{table}\n  \\centering\n  \\caption{" +
                       escape_latex(grid.title + " " + grid.banner) + "}\n";
    text += "  \\begin{tabular}{" + std::string(lines.labels, 'l') + std::string(lines.header.size() - lines.labels, 'r') +
            "}\n    \\toprule\n    ";
    const auto row_text = [](const Line& row) {
        Line escaped;
        for (const auto& cell : row) escaped.push_back(escape_latex(cell));
        auto line = join(escaped, " & ") + " \\\\\n";
        for (auto at = line.find("–"); at != std::string::npos; at = line.find("–", at)) line.replace(at, std::string("–").size(), "--");
        return line;
    };
    text += row_text(lines.header) + "    \\midrule\n";
    for (const auto& row : lines.rows) text += "    " + row_text(row);
    return text + "    \\bottomrule\n  \\end{tabular}\n\\end{table}\n";
}

std::string json(const Grid& grid, const PublishedTable& table, const Scale& scale) {
    Json out{{"table", table.name},   {"title", grid.title}, {"scale", scale.name},
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
    const auto lines = lines_of(grid, "–");
    std::string text =
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, "
        "initial-scale=1\">\n<title>" +
        escape_html(grid.title) + "</title>\n<style>\n" + std::string(kPageStyle) + "</style>\n</head>\n<body>\n<main>\n";
    text += "<header><h1>" + escape_html(grid.title) + "</h1>\n";
    if (!grid.banner.empty()) text += "<p><strong>" + escape_html(grid.banner) + "</strong></p>\n";
    text += "</header>\n<div class=\"scroll\"><table><thead><tr>";
    for (const auto& cell : lines.header) text += "<th scope=\"col\">" + escape_html(cell) + "</th>";
    text += "</tr></thead><tbody>\n";
    for (const auto& row : lines.rows) {
        text += "<tr>";
        for (std::size_t i = 0; i < row.size(); ++i)
            text += (i == 0 ? "<th scope=\"row\">" : "<td>") + escape_html(row[i]) + (i == 0 ? "</th>" : "</td>");
        text += "</tr>\n";
    }
    text += "</tbody></table></div>\n";
    for (const auto& note : grid.notes) text += "<p>" + escape_html(note) + "</p>\n";
    return text + "</main>\n</body>\n</html>\n";
}

}  // namespace

std::string render_paper_table(const PublishedTable& table, const Scale& scale, const Lookup& ours, const std::string& format) {
    const auto grid = make_grid(table, scale, ours);
    if (format == "markdown") return markdown(grid);
    if (format == "csv") return csv(grid, table);
    if (format == "latex") return latex(grid);
    if (format == "json") return json(grid, table, scale);
    if (format == "html") return html(grid);
    throw UsageError("unknown format '" + format + "': known are markdown, csv, latex, json, html");
}

}  // namespace longbow
