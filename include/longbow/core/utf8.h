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

// Byte offset of the first invalid UTF-8 sequence, or npos. Overlong forms, surrogates and > U+10FFFF are invalid.
std::size_t find_invalid_utf8(std::string_view text);

inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// A mark at the start of a file says how it is encoded and is no part of what it holds.
std::string_view without_byte_order_mark(std::string_view text);
// "UTF-16" or "UTF-32" where `text` begins with that encoding's byte order mark; else null.
const char* marked_encoding(std::string_view text);
// What keeps `text` from being UTF-8 ("byte 7 (line 2) is no valid UTF-8"), for a message that has the file's name in front; empty: nothing.
std::string not_utf8(std::string_view text);

// The text with each byte that is no UTF-8 as \xHH: what people see of a name that need not be UTF-8.
std::string escape_invalid_utf8(std::string_view text);
// The same for files that are read again (JSON, YAML), which must be UTF-8: name_of_text() gives back the very bytes, since a backslash of
// the name that would read as such an escape is written \x5C.
std::string text_of_name(std::string_view name);
std::string name_of_text(std::string_view text);

}  // namespace longbow
