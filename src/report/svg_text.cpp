#include "svg_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>
#include <sstream>
#include <string_view>

#include "longbow/core/strings.h"
#include "longbow/report/escape.h"

namespace longbow {

namespace {

// Verdana has the same widths as DejaVu Sans, so text that fits on one system fits on the others.
constexpr const char* kFont = "DejaVu Sans, Verdana, Bitstream Vera Sans, sans-serif";

// Returns the width of a character in ems, a little more than DejaVu Sans's.
double character_width(unsigned char c) {
    // c is the first byte of a multi-byte character; from E3 on, characters are as wide as they are high.
    if (c >= 0x80) return c >= 0xE3 ? 1.05 : 0.8;
    if (std::string_view("ijlI.,:;'|!()[]").find(static_cast<char>(c)) != std::string_view::npos) return 0.4;
    if (std::string_view("mwMW@%").find(static_cast<char>(c)) != std::string_view::npos) return 1.0;
    return c >= 'A' && c <= 'Z' ? 0.76 : 0.64;
}

bool begins_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

std::string without_middle(const std::string& text, double width, double size) {
    std::vector<std::string> characters;
    for (const char c : text) {
        if (begins_character(c)) characters.emplace_back();
        characters.back() += c;
    }
    auto head = characters.size() / 2, tail = characters.size() - head;
    const auto joined = [&] {
        const auto middle = characters.begin() + static_cast<std::ptrdiff_t>(head);
        return join({characters.begin(), middle}, "") + "…" +
               join({characters.end() - static_cast<std::ptrdiff_t>(tail), characters.end()}, "");
    };
    while (head + tail > 2 && text_width(joined(), size) > width) --(head > tail ? head : tail);
    return joined();
}

}  // namespace

std::string svg_open(double width, double height, const std::string& label) {
    return fmt::format(
               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{:.0f}\" height=\"{:.0f}\" viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\"",
               width, height, width, height) +
           " aria-label=\"" + escape_html(label) + "\" font-family=\"" + kFont + "\" font-size=\"13\">\n" +
           fmt::format("<rect width=\"{:.0f}\" height=\"{:.0f}\" fill=\"#ffffff\"/>\n", width, height);
}

std::string svg_text(double x, double y, const std::string& text, const TextStyle& style) {
    auto attributes = fmt::format("x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" font-size=\"{:g}\" fill=\"{}\"", x, y,
                                  style.anchor, style.size, style.colour);
    if (style.bold) attributes += " font-weight=\"bold\"";
    if (!style.transform.empty()) attributes += " transform=\"" + style.transform + "\"";
    return "<text " + attributes + ">" + escape_html(text) + "</text>\n";
}

double text_width(const std::string& text, double size) {
    double width = 0;
    for (const char c : printable(text))
        width += begins_character(c) ? character_width(static_cast<unsigned char>(c)) : 0;
    return width * size;
}

std::vector<std::string> wrapped_text(const std::string& text, double width, double size) {
    std::vector<std::string> lines;
    std::istringstream words(printable(text));
    for (std::string word; words >> word;) {
        if (lines.empty() || text_width(lines.back() + " " + word, size) > width)
            lines.push_back(word);
        else
            lines.back() += " " + word;
    }
    return lines;
}

std::vector<std::string> shortened(const std::vector<std::string>& texts, double width, double size) {
    std::vector<std::string> result;
    for (const auto& text : texts) {
        const auto shown = printable(text);
        result.push_back(text_width(shown, size) > width ? without_middle(shown, width, size) : shown);
    }
    if (std::set<std::string>(result.begin(), result.end()).size() <
        std::set<std::string>(texts.begin(), texts.end()).size())
        return texts;
    return result;
}

}  // namespace longbow
