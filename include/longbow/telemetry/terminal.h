// Measures and cuts text as a terminal shows it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace longbow {

bool stderr_is_terminal();
bool stdout_is_terminal();
// Return the columns of the terminal behind stderr or stdout, read anew each time because it may be resized; 80 when
// unknown.
int stderr_width();
int stdout_width();

// Returns the columns that UTF-8 text takes: two for wide characters, none for combining ones, and one for each control
// character and each byte that is not UTF-8 (printable() shows them as '?').
int display_width(std::string_view text);
// Returns the text as one line, with '?' for control characters and bytes that are not UTF-8.
std::string printable(std::string_view text);
// Returns printable() of the text; of a text wider than `width` columns its beginning and "..".
std::string fit_width(std::string_view text, int width);

// Wraps words into lines of at most `width` columns, joined by newlines; a longer word gets a line of its own. Width 0
// gives one line.
std::string wrapped(std::string_view text, int width);

struct TableColumn {
    std::string heading;
    int drop_priority = 0;  // columns of the greatest are dropped first; those of 0 always stay
    std::vector<std::string> cells;
};
// Formats right-aligned columns two spaces apart under their headings, with a newline after each line. `width` 0 keeps
// all columns; otherwise the headings of dropped columns are appended to `left_out`, if given.
std::string aligned_table(const std::vector<TableColumn>& columns, int width,
                          std::vector<std::string>* left_out = nullptr);

}  // namespace longbow
