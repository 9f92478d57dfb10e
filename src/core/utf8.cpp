// Valid UTF-8 is defined by RFC 3629: sequences of one to four bytes, no overlong forms, no surrogates, nothing beyond
// U+10FFFF.
#include "longbow/core/utf8.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "longbow/core/strings.h"

namespace longbow {

CodePoint decode_utf8(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto follows = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xC0) == 0x80; };
    const char32_t a = byte(0);
    if (a < 0x80) return {a, 1};
    if (a >= 0xC2 && a <= 0xDF && follows(1)) return {(a & 0x1F) << 6 | (byte(1) & 0x3Fu), 2};
    if (a >= 0xE0 && a <= 0xEF && follows(1) && follows(2)) {
        const char32_t value = (a & 0x0F) << 12 | (byte(1) & 0x3Fu) << 6 | (byte(2) & 0x3Fu);
        if (value >= 0x800 && (value < 0xD800 || value > 0xDFFF)) return {value, 3};
    }
    if (a >= 0xF0 && a <= 0xF4 && follows(1) && follows(2) && follows(3)) {
        const char32_t value = (a & 0x07) << 18 | (byte(1) & 0x3Fu) << 12 | (byte(2) & 0x3Fu) << 6 | (byte(3) & 0x3Fu);
        if (value >= 0x10000 && value <= 0x10FFFF) return {value, 4};
    }
    return {kReplacement, 1};
}

CodePoint decode_utf8_back(std::string_view text) {
    for (std::size_t length = 1; length <= 4 && length <= text.size(); ++length) {
        const auto found = decode_utf8(text.substr(text.size() - length));
        if (found.length == length && (found.value != kReplacement || length == 3)) return found;
    }
    return {kReplacement, 1};
}

void append_utf8(std::string& out, char32_t value) {
    if (value < 0x80) {
        out += static_cast<char>(value);
    } else if (value < 0x800) {
        out += {static_cast<char>(0xC0 | value >> 6), static_cast<char>(0x80 | (value & 0x3F))};
    } else if (value < 0x10000) {
        out += {static_cast<char>(0xE0 | value >> 12), static_cast<char>(0x80 | (value >> 6 & 0x3F)),
                static_cast<char>(0x80 | (value & 0x3F))};
    } else {
        out += {static_cast<char>(0xF0 | value >> 18), static_cast<char>(0x80 | (value >> 12 & 0x3F)),
                static_cast<char>(0x80 | (value >> 6 & 0x3F)), static_cast<char>(0x80 | (value & 0x3F))};
    }
}

std::size_t incomplete_utf8_tail(std::string_view text) {
    for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
        const auto byte = static_cast<unsigned char>(text[text.size() - back]);
        if ((byte & 0xC0) == 0x80) continue;
        const std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
        return length > back ? back : 0;
    }
    return 0;
}

std::size_t find_invalid_utf8(std::string_view text) {
    std::size_t i = 0;
    while (i < text.size()) {
        // Skips eight ASCII bytes at a time.
        std::uint64_t block;
        while (i + sizeof block <= text.size()) {
            std::memcpy(&block, text.data() + i, sizeof block);
            if (block & 0x8080808080808080ULL) break;
            i += sizeof block;
        }
        if (i == text.size()) break;
        if (static_cast<unsigned char>(text[i]) < 0x80) {
            ++i;
            continue;
        }
        const auto found = decode_utf8(text.substr(i, 4));
        if (found.length == 1) return i;
        i += found.length;
    }
    return std::string_view::npos;
}

std::string_view without_byte_order_mark(std::string_view text) {
    if (starts_with(text, kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
    return text;
}

const char* encoding_of_bom(std::string_view text) {
    const std::string_view utf32_little("\xFF\xFE\0\0", 4), utf32_big("\0\0\xFE\xFF", 4);
    if (starts_with(text, utf32_little) || starts_with(text, utf32_big)) return "UTF-32";
    if (starts_with(text, "\xFF\xFE") || starts_with(text, "\xFE\xFF")) return "UTF-16";
    return nullptr;
}

std::string utf8_problem(std::string_view text) {
    if (const char* encoding = encoding_of_bom(text)) {
        return fmt::format(
            "begins with the byte order mark of {}: convert it to UTF-8, for example iconv -f {} -t UTF-8", encoding,
            encoding);
    }
    const auto bad = find_invalid_utf8(text);
    if (bad == std::string_view::npos) return "";
    const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(bad), '\n');
    return fmt::format("byte {} (line {}) is not valid UTF-8", bad, line);
}

namespace {

constexpr std::string_view kEscape = "\\x";

std::string escaped_byte(char byte) { return fmt::format("\\x{:02X}", static_cast<unsigned char>(byte)); }

// Returns the byte for which \xHH at the beginning of `text` stands, or -1 when there is no such escape.
int escape_at(std::string_view text) {
    if (!starts_with(text, kEscape) || text.size() < 4) return -1;
    int value = 0;
    for (const char c : text.substr(2, 2)) {
        const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (digit < 0) return -1;
        value = value * 16 + digit;
    }
    return value;
}

}  // namespace

std::string escape_invalid_utf8(std::string_view text) {
    std::string escaped;
    for (auto bad = find_invalid_utf8(text); bad != std::string_view::npos; bad = find_invalid_utf8(text)) {
        escaped += text.substr(0, bad);
        escaped += escaped_byte(text[bad]);
        text.remove_prefix(bad + 1);
    }
    return escaped.append(text);
}

std::string escape_name(std::string_view name) {
    std::string text;
    for (std::size_t at = 0; at < name.size(); ++at) {
        if (escape_at(name.substr(at)) >= 0) {
            text += escaped_byte(name[at]);
        } else {
            text += name[at];
        }
    }
    return escape_invalid_utf8(text);
}

std::string unescape_name(std::string_view text) {
    std::string name;
    for (std::size_t at = 0; at < text.size();) {
        const int byte = escape_at(text.substr(at));
        name += byte >= 0 ? static_cast<char>(byte) : text[at];
        at += byte >= 0 ? 4 : 1;
    }
    return name;
}

}  // namespace longbow
