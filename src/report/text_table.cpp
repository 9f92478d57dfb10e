#include "longbow/report/text_table.h"

#include "longbow/core/strings.h"

namespace longbow {

namespace {

std::vector<std::string> texts_of(const std::vector<TextTable::Cell>& row) {
    std::vector<std::string> texts;
    for (const auto& cell : row) texts.push_back(cell.text);
    return texts;
}

}  // namespace

const char* const kLatexPackages = "% needs \\usepackage{booktabs}\n";

std::string markdown_table(const TextTable& table) {
    const auto line = [](const std::vector<std::string>& texts) { return "| " + join(texts, " | ") + " |\n"; };
    std::string text = line(table.header) + "|";
    for (const bool left : table.left) text += left ? "---|" : "---:|";
    text += "\n";
    for (const auto& row : table.rows) text += line(texts_of(row));
    return text;
}

std::string latex_table(const TextTable& table, const std::string& caption) {
    const auto line = [](const std::vector<std::string>& texts) { return "    " + join(texts, " & ") + " \\\\\n"; };
    std::string text = "\\begin{table}\n  \\centering\n  \\caption{" + caption + "}\n  \\begin{tabular}{";
    for (const bool left : table.left) text += left ? 'l' : 'r';
    text += "}\n    \\toprule\n" + line(table.header) + "    \\midrule\n";
    for (const auto& row : table.rows) text += line(texts_of(row));
    return text + "    \\bottomrule\n  \\end{tabular}\n\\end{table}\n";
}

std::string html_table(const TextTable& table) {
    std::string html = "<div class=\"scroll\"><table><thead><tr>";
    for (const auto& heading : table.header) html += "<th scope=\"col\">" + heading + "</th>";
    html += "</tr></thead><tbody>\n";
    for (const auto& row : table.rows) {
        html += "<tr>";
        for (const auto& cell : row) {
            const bool heading = &cell == &row.front();
            html += (heading ? "<th scope=\"row\"" : "<td") + cell.attributes + ">" + cell.text +
                    (heading ? "</th>" : "</td>");
        }
        html += "</tr>\n";
    }
    return html + "</tbody></table></div>\n";
}

}  // namespace longbow
