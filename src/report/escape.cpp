#include "longbow/report/escape.h"

#include <fmt/core.h>

#include <cctype>
#include <charconv>
#include <map>
#include <string_view>

#include "longbow/core/strings.h"
#include "longbow/core/utf8.h"

namespace longbow {

namespace {

constexpr std::string_view kLineWhite = "\t\n\r\v\f";

// Characters that must not be shown as they are: XML forbids some, terminals interpret others, and some reverse the
// direction of the rest of the line.
bool invisible(char32_t c) {
    const bool control = c < 0x20 || (c >= 0x7F && c <= 0x9F);
    const bool direction = c == 0x200E || c == 0x200F || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
    return control || direction || c == 0xFEFF || (c & 0xFFFE) == 0xFFFE;
}

// White space in `kept` stays; other white space becomes a blank.
std::string made_visible(std::string_view text, std::string_view kept) {
    std::string out;
    while (!text.empty()) {
        const auto [value, bytes] = decode_utf8(text);
        const char first = text[0];
        if (value == kReplacement && bytes == 1) {
            out += fmt::format("\\x{:02X}", static_cast<unsigned char>(first));
        } else if (bytes == 1 && kept.find(first) != std::string_view::npos) {
            out += first;
        } else if (bytes == 1 && kLineWhite.find(first) != std::string_view::npos) {
            out += ' ';
        } else if (invisible(value)) {
            out += value < 0x100 ? fmt::format("\\x{:02X}", static_cast<std::uint32_t>(value))
                                 : fmt::format("\\u{:04X}", static_cast<std::uint32_t>(value));
        } else {
            out += text.substr(0, bytes);
        }
        text.remove_prefix(bytes);
    }
    return out;
}

bool word_character(const std::string& text, std::size_t at) {
    return at < text.size() &&
           (std::isalnum(static_cast<unsigned char>(text[at])) != 0 || static_cast<unsigned char>(text[at]) >= 0x80);
}

bool is_number(const std::string& text) {
    double value = 0;
    const auto* begin = text.data() + (text[0] == '+' ? 1 : 0);
    const auto [end, error] = std::from_chars(begin, text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size();
}

std::string csv_field(const std::string& raw) {
    auto text = made_visible(raw, "\t\n\r");
    const bool formula = !text.empty() && std::string_view("=+-@\t\r").find(text[0]) != std::string_view::npos;
    if (formula && !is_number(text)) text.insert(0, 1, '\'');
    if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
    std::string quoted = "\"";
    for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
    return quoted + "\"";
}

}  // namespace

std::string printable(const std::string& text) { return made_visible(text, ""); }

std::string escape_markdown(const std::string& raw) {
    const auto text = printable(raw);
    std::string escaped;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool within_word = i > 0 && word_character(text, i - 1) && word_character(text, i + 1);
        const bool special = std::string_view("\\|*`[]<>~$&").find(text[i]) != std::string_view::npos ||
                             (text[i] == '_' && !within_word);
        if (special) escaped += '\\';
        escaped += text[i];
    }
    return escaped;
}

std::string escape_latex(const std::string& raw) {
    // Braces keep "[" and "*" from being read as arguments of the row end before them, and hyphens from becoming
    // dashes.
    static const std::map<char, std::string> special{{'&', "\\&"},
                                                     {'%', "\\%"},
                                                     {'$', "\\$"},
                                                     {'#', "\\#"},
                                                     {'_', "\\_"},
                                                     {'{', "\\{"},
                                                     {'}', "\\}"},
                                                     {'~', "\\textasciitilde{}"},
                                                     {'[', "{[}"},
                                                     {']', "{]}"},
                                                     {'*', "{*}"},
                                                     {'"', "''"},
                                                     {'-', "-{}"},
                                                     {'`', "{}`{}"},
                                                     {'\'', "'{}"},
                                                     {'^', "\\textasciicircum{}"},
                                                     {'\\', "\\textbackslash{}"},
                                                     {'<', "\\textless{}"},
                                                     {'>', "\\textgreater{}"},
                                                     {'|', "\\textbar{}"}};
    const auto text = printable(raw);
    std::string escaped;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto found = special.find(text[i]);
        const bool lone_hyphen = text[i] == '-' && (i + 1 == text.size() || text[i + 1] != '-');
        escaped += found == special.end() || lone_hyphen ? std::string(1, text[i]) : found->second;
    }
    return escaped;
}

std::string latex_cell(const std::string& text) {
    static constexpr std::string_view kDash = "–";
    auto escaped = escape_latex(text);
    for (auto at = escaped.find(kDash); at != std::string::npos; at = escaped.find(kDash, at))
        escaped.replace(at, kDash.size(), "--");
    return escaped;
}

std::string escape_html(const std::string& raw) {
    std::string escaped;
    for (const char c : printable(raw)) {
        switch (c) {
            case '&': escaped += "&amp;"; break;
            case '<': escaped += "&lt;"; break;
            case '>': escaped += "&gt;"; break;
            case '"': escaped += "&quot;"; break;
            case '\'': escaped += "&#39;"; break;
            default: escaped += c;
        }
    }
    return escaped;
}

std::string csv_line(const std::vector<std::string>& fields) {
    std::vector<std::string> escaped;
    for (const auto& field : fields) escaped.push_back(csv_field(field));
    return join(escaped, ",") + "\n";
}

}  // namespace longbow
