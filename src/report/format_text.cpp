// The report's tables as Markdown and LaTeX.
#include "longbow/core/strings.h"
#include "longbow/report/escape.h"
#include "longbow/report/format.h"

namespace longbow {

namespace {

// Texts of ours with a sign that LaTeX has a command for.
std::string latex_text(const std::string& text) {
    auto escaped = escape_latex(text);
    for (auto at = escaped.find("±"); at != std::string::npos; at = escaped.find("±", at))
        escaped.replace(at, std::string("±").size(), "$\\pm$");
    return escaped;
}

std::string latex_table(const ReportTable& table) {
    auto caption = metric_title(table.metric) + ": " + table.heading() + ".";
    for (const auto& note : table_notes(table)) caption += " " + note;
    std::string text = "\\begin{table}\n  \\centering\n  \\caption{" + latex_text(caption) + "}\n";
    text += "  \\begin{tabular}{lr" + std::string(table.lengths.size() + (has_growth(table) ? 1 : 0), 'r') +
            "}\n    \\toprule\n    Model & trained at";
    for (const auto length : table.lengths) text += " & " + length_heading(table, length);
    if (has_growth(table)) text += " & " + growth_heading(table);
    text += " \\\\\n    \\midrule\n";
    for (const auto& row : table.rows) {
        text += "    " + escape_latex(row.label) + strprintf(" & %lld", static_cast<long long>(row.train_length));
        for (const auto length : table.lengths) {
            const auto cell = row.cells.find(length);
            const auto value = cell == row.cells.end() ? std::string("--") : cell_text(table, cell->second, " $\\pm$ ");
            text += cell != row.cells.end() && cell->second.best ? " & \\textbf{" + value + "}" : " & " + value;
        }
        if (has_growth(table)) text += " & " + growth_text(table, row, "--", " $\\pm$ ");
        text += " \\\\\n";
    }
    return text + "    \\bottomrule\n  \\end{tabular}\n\\end{table}\n";
}

std::string markdown_table(const ReportTable& table) {
    std::string text = "### " + metric_title(table.metric) + ": " + escape_markdown(table.heading()) + "\n\n| Model | trained at |";
    std::string rule = "|---|---:|";
    for (const auto length : table.lengths) {
        text += " " + length_heading(table, length) + " |";
        rule += "---:|";
    }
    if (has_growth(table)) {
        text += " " + growth_heading(table) + " |";
        rule += "---:|";
    }
    text += "\n" + rule + "\n";
    for (const auto& row : table.rows) {
        text += "| " + escape_markdown(row.label) + strprintf(" | %lld |", static_cast<long long>(row.train_length));
        for (const auto length : table.lengths) {
            const auto cell = row.cells.find(length);
            const auto value = cell == row.cells.end() ? std::string("–") : cell_text(table, cell->second);
            text += cell != row.cells.end() && cell->second.best ? " **" + value + "** |" : " " + value + " |";
        }
        if (has_growth(table)) text += " " + growth_text(table, row, "–") + " |";
        text += "\n";
    }
    for (const auto& note : table_notes(table)) text += "\n" + note + "\n";
    return text;
}

}  // namespace

std::string render_markdown(const std::vector<ReportTable>& tables) {
    std::string text;
    for (const auto& table : tables) text += (text.empty() ? "" : "\n") + markdown_table(table);
    return text;
}

std::string render_latex(const std::vector<ReportTable>& tables) {
    std::string text = "% needs \\usepackage{booktabs}\n";
    for (const auto& table : tables) text += latex_table(table);
    return text;
}

}  // namespace longbow
