// A table in the text formats that people read. The caller has made its texts fit for the format (escape.h).
#pragma once

#include <string>
#include <vector>

namespace longbow {

struct TextTable {
    struct Cell {
        std::string text;
        std::string attributes = {};  // of its HTML element: " class=\"best\""
    };
    std::vector<std::string> header;
    std::vector<bool> left;  // columns of text, aligned left; the others are numbers
    std::vector<std::vector<Cell>> rows;
};

std::string markdown_table(const TextTable& table);
std::string latex_table(const TextTable& table, const std::string& caption);
// The package that latex_table() needs, as a comment.
extern const char* const kLatexPackages;
// The first cell of a row is its heading. On narrow screens the table scrolls by itself.
std::string html_table(const TextTable& table);

}  // namespace longbow
