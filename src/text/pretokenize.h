// Scans GPT-2's word pattern (openai/gpt-2, src/encoder.py) without a regex library:
//
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//
// for_each_word() calls `visit` with each match; together the matches cover the text.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "longbow/core/utf8.h"
#include "unicode.h"

namespace longbow {

struct ScannedChar {
    CharClass kind;
    unsigned length;
};

// The classes of the 128 ASCII characters; kNotAscii for all other bytes.
extern const std::array<std::uint8_t, 256> kByteClass;
inline constexpr std::uint8_t kNotAscii = 255;

inline ScannedChar scan_char(std::string_view text, std::size_t at) {
    const auto known = kByteClass[static_cast<unsigned char>(text[at])];
    if (known != kNotAscii) return {static_cast<CharClass>(known), 1};
    const auto found = decode_utf8(text.substr(at, 4));
    return {char_class(found.value), found.length};
}

// Returns the length of a contraction at text[at] ('s, 're, ...), or 0.
std::size_t contraction_length(std::string_view text, std::size_t at);

// Returns the last position in `text` at which the matches on either side do not depend on the other side; 0 if there
// is none.
std::size_t last_word_boundary(std::string_view text);

template <class Visit>
void for_each_word(std::string_view text, Visit&& visit) {
    const std::size_t end = text.size();
    std::size_t at = 0;
    while (at < end) {
        std::size_t next = at;
        if (text[at] == '\'') {
            if (const auto length = contraction_length(text, at); length > 0) {
                visit(text.substr(at, length));
                at += length;
                continue;
            }
        }
        auto first = scan_char(text, at);
        next += first.length;
        if (text[at] == ' ' && next < end) {
            const auto second = scan_char(text, next);
            if (second.kind != CharClass::space) {
                first = second;
                next += second.length;
            }
        }
        std::size_t last = at;  // where the last character of the run begins
        while (next < end) {
            const auto more = scan_char(text, next);
            if (more.kind != first.kind) break;
            last = next;
            next += more.length;
        }
        // White space before a word leaves its last character to that word's match.
        if (first.kind == CharClass::space && next < end && last > at) next = last;
        visit(text.substr(at, next - at));
        at = next;
    }
}

}  // namespace longbow
