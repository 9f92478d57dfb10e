// Writes the report's tables as Markdown and LaTeX.
#include "longbow/core/strings.h"
#include "longbow/report/escape.h"
#include "longbow/report/format.h"
#include "longbow/report/text_table.h"

namespace longbow {

namespace {

// Escapes one of our own texts. Its "±" becomes LaTeX's command, which escape_latex() does not know.
std::string latex_text(const std::string& text) {
    auto escaped = escape_latex(text);
    for (auto at = escaped.find("±"); at != std::string::npos; at = escaped.find("±", at))
        escaped.replace(at, std::string("±").size(), "$\\pm$");
    return escaped;
}

// Lists what Markdown and LaTeX write differently.
struct Signs {
    std::string (*escape)(const std::string& text);
    std::string none, plus_minus, bold_begin, bold_end;
};

TextTable text_of(const ReportTable& table, const Signs& signs) {
    TextTable text{{"Model", "trained at"}, {true, false}, {}};
    for (const auto length : table.lengths) text.header.push_back(length_heading(table, length));
    if (has_growth(table)) text.header.push_back(growth_heading(table));
    text.left.resize(text.header.size());
    for (const auto& row : table.rows) {
        auto& cells = text.rows.emplace_back();
        cells.push_back({signs.escape(row.label)});
        cells.push_back({length_text(row.train_length)});
        for (const auto length : table.lengths) {
            const auto cell = row.cells.find(length);
            auto value = cell == row.cells.end() ? signs.none : cell_text(table, cell->second, signs.plus_minus);
            if (cell != row.cells.end() && cell->second.best) value = signs.bold_begin + value + signs.bold_end;
            cells.push_back({std::move(value)});
        }
        if (has_growth(table)) cells.push_back({growth_text(table, row, signs.none, signs.plus_minus)});
    }
    return text;
}

std::string as_latex(const ReportTable& table) {
    auto caption = metric_title(table.metric) + ": " + table.heading() + ".";
    for (const auto& note : table_notes(table)) caption += " " + note;
    return latex_table(text_of(table, {escape_latex, "--", " $\\pm$ ", "\\textbf{", "}"}), latex_text(caption));
}

std::string as_markdown(const ReportTable& table) {
    auto text = "### " + metric_title(table.metric) + ": " + escape_markdown(table.heading()) + "\n\n" +
                markdown_table(text_of(table, {escape_markdown, "–", " ± ", "**", "**"}));
    for (const auto& note : table_notes(table)) text += "\n" + note + "\n";
    return text;
}

}  // namespace

std::string render_markdown(const std::vector<ReportTable>& tables) {
    std::string text;
    for (const auto& table : tables) text += (text.empty() ? "" : "\n") + as_markdown(table);
    return text;
}

std::string render_latex(const std::vector<ReportTable>& tables) {
    std::string text = kLatexPackages;
    for (const auto& table : tables) text += as_latex(table);
    return text;
}

}  // namespace longbow
