#include "longbow/telemetry/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>
#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <functional>

namespace longbow {

namespace {

// A "dumb" terminal cannot erase its line and gets plain lines, as a file does.
bool is_terminal(int file) {
    const char* kind = std::getenv("TERM");
    return ::isatty(file) == 1 && std::string_view(kind == nullptr ? "" : kind) != "dumb";
}

int width_of(int file) {
    winsize size{};
    if (::ioctl(file, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
    return size.ws_col;
}

// Calls `visit` for each character with the columns it takes, or -1 if it cannot be shown.
void for_each_character(std::string_view text, const std::function<void(std::string_view, int)>& visit) {
    while (!text.empty()) {
        utf8proc_int32_t code = -1;
        const auto size = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                           static_cast<utf8proc_ssize_t>(text.size()), &code);
        const auto bytes = size > 0 ? static_cast<std::size_t>(size) : 1;
        const bool control = code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x2028 || code == 0x2029;
        visit(text.substr(0, bytes), size <= 0 || control ? -1 : utf8proc_charwidth(code));
        text.remove_prefix(bytes);
    }
}

}  // namespace

bool stderr_is_terminal() { return is_terminal(STDERR_FILENO); }
bool stdout_is_terminal() { return is_terminal(STDOUT_FILENO); }
int stderr_width() { return width_of(STDERR_FILENO); }
int stdout_width() { return width_of(STDOUT_FILENO); }

int display_width(std::string_view text) {
    int width = 0;
    for_each_character(text, [&](std::string_view, int columns) { width += columns < 0 ? 1 : columns; });
    return width;
}

std::string printable(std::string_view text) {
    std::string shown;
    for_each_character(
        text, [&](std::string_view character, int columns) { columns < 0 ? shown += '?' : shown += character; });
    return shown;
}

std::string fit_width(std::string_view text, int width) {
    if (display_width(text) <= width) return printable(text);
    const int room = std::max(0, width - 2);
    std::string shown;
    int used = 0;
    bool full = false;
    for_each_character(text, [&](std::string_view character, int columns) {
        const int wide = columns < 0 ? 1 : columns;
        full = full || used + wide > room;
        if (full) return;
        columns < 0 ? shown += '?' : shown += character;
        used += wide;
    });
    return shown + std::string(static_cast<std::size_t>(std::clamp(width, 0, 2)), '.');
}

std::string wrapped(std::string_view text, int width) {
    std::string lines;
    int used = 0;
    for (std::size_t begin = 0; begin <= text.size();) {
        const auto end = std::min(text.find(' ', begin), text.size());
        const auto word = text.substr(begin, end - begin);
        const int wide = display_width(word);
        const bool breaks = begin > 0 && width > 0 && used + 1 + wide > width;
        if (begin > 0) lines += breaks ? '\n' : ' ';
        used = breaks || begin == 0 ? wide : used + 1 + wide;
        lines += word;
        begin = end + 1;
    }
    return lines;
}

std::string aligned_table(const std::vector<TableColumn>& columns, int width, std::vector<std::string>* left_out) {
    std::vector<int> widths;
    std::vector<bool> shown(columns.size(), true);
    int total = 0;
    for (const auto& column : columns) {
        int wide = display_width(column.heading);
        for (const auto& cell : column.cells) wide = std::max(wide, display_width(cell));
        widths.push_back(wide);
        total += (widths.size() == 1 ? 0 : 2) + wide;
    }
    while (width > 0 && total > width) {
        std::size_t least = 0;
        for (std::size_t i = 1; i < columns.size(); ++i) {
            if (shown[i] && (!shown[least] || columns[i].drop_priority > columns[least].drop_priority)) least = i;
        }
        if (!shown[least] || columns[least].drop_priority == 0) break;
        shown[least] = false;
        total -= widths[least] + 2;
    }
    std::string text;
    const auto add_line = [&](const std::function<const std::string&(const TableColumn&)>& cell_of) {
        bool first = true;
        for (std::size_t i = 0; i < columns.size(); ++i) {
            if (!shown[i]) continue;
            const auto& cell = cell_of(columns[i]);
            text += std::string(static_cast<std::size_t>((first ? 0 : 2) + widths[i] - display_width(cell)), ' ') +
                    printable(cell);
            first = false;
        }
        text += '\n';
    };
    add_line([](const TableColumn& column) -> const std::string& { return column.heading; });
    const auto rows = columns.empty() ? 0 : columns.front().cells.size();
    for (std::size_t row = 0; row < rows; ++row)
        add_line([row](const TableColumn& column) -> const std::string& { return column.cells[row]; });
    for (std::size_t i = 0; i < columns.size() && left_out != nullptr; ++i) {
        if (!shown[i]) left_out->push_back(columns[i].heading);
    }
    return text;
}

}  // namespace longbow
