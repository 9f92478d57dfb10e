// Writes a table in a text format: Markdown, LaTeX or HTML. The caller has escaped its texts for the format (escape.h).
#pragma once

#include <string>
#include <vector>

namespace longbow {

struct TextTable {
    struct Cell {
        std::string text;
        std::string attributes = {};  // of its HTML element, as in " class=\"best\""
    };
    std::vector<std::string> header;
    std::vector<bool> left;  // true for columns of text, which are aligned left; false for numbers
    std::vector<std::vector<Cell>> rows;
};

std::string markdown_table(const TextTable& table);
std::string latex_table(const TextTable& table, const std::string& caption);
// The LaTeX package that latex_table() needs, as a LaTeX comment.
extern const char* const kLatexPackages;
// Makes an HTML table. The first cell of each row becomes a heading. On narrow screens the table scrolls on its own.
std::string html_table(const TextTable& table);

}  // namespace longbow
