// Code points out of UTF-8 and back. Longbow's text is checked once, at the file; what reads it later trusts it, but must
// not crash on bytes that nobody checked: a byte that starts no character reads as one U+FFFD of length 1.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace longbow {

inline constexpr char32_t kReplacement = 0xFFFD;

struct CodePoint {
    char32_t value;
    unsigned length;  // bytes
};

// The character at text[0]; `text` is not empty.
CodePoint decode_utf8(std::string_view text);
// The character that ends at text's end; `text` is not empty.
CodePoint decode_utf8_back(std::string_view text);
void append_utf8(std::string& out, char32_t value);

// Bytes (0..3) at the end of `text` that begin a character which more bytes could complete.
std::size_t incomplete_utf8_tail(std::string_view text);

}  // namespace longbow
