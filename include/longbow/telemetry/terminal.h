// What a terminal shows of a text, and how much of it fits.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace longbow {

bool stderr_is_terminal();
bool stdout_is_terminal();
// Columns of the terminal behind stderr or stdout now, since it may be resized; 80 when unknown.
int stderr_width();
int stdout_width();

// Columns that UTF-8 text takes: wide characters two, combining ones none, control characters and bytes that are no UTF-8 one each (as
// printable() shows them).
int display_width(std::string_view text);
// The text in one line: control characters and bytes that are no UTF-8 as '?'.
std::string printable(std::string_view text);
// printable() of the text, where it is wider than `width` columns its beginning and "..".
std::string fit_width(std::string_view text, int width);

// Words wrapped into lines of at most `width` columns (a longer word has a line of its own), joined by newlines; width 0: one line.
std::string wrapped(std::string_view text, int width);

struct TableColumn {
    std::string heading;
    int rank = 0;  // where width is short, those of the greatest rank are left out first; rank 0 stays
    std::vector<std::string> cells;
};
// Right-aligned columns two spaces apart under their headings, each line ended; `width` 0: all of them. The headings of those left out go
// into `left_out` (when given).
std::string aligned_table(const std::vector<TableColumn>& columns, int width, std::vector<std::string>* left_out = nullptr);

}  // namespace longbow
