// Decodes, encodes and checks UTF-8. Longbow checks text once, where it reads the file, and trusts it afterwards.
// Decoding must still not crash on unchecked bytes: a byte that starts no character reads as one U+FFFD of length 1.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace longbow {

inline constexpr char32_t kReplacement = 0xFFFD;

struct CodePoint {
    char32_t value;
    unsigned length;  // in bytes
};

// Decodes the character at text[0]. `text` must not be empty.
CodePoint decode_utf8(std::string_view text);
// Decodes the last character of `text`, which must not be empty.
CodePoint decode_utf8_back(std::string_view text);
void append_utf8(std::string& out, char32_t value);

// Returns how many bytes (0 to 3) at the end of `text` begin a character that more bytes could complete.
std::size_t incomplete_utf8_tail(std::string_view text);

// Returns the byte offset of the first invalid UTF-8 sequence, or npos. Overlong forms, surrogates and values above
// U+10FFFF are invalid.
std::size_t find_invalid_utf8(std::string_view text);

inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Removes a UTF-8 byte order mark from the start of a file's text; it tells the encoding and is no part of the
// contents.
std::string_view without_byte_order_mark(std::string_view text);
// Returns "UTF-16" or "UTF-32" when `text` begins with that encoding's byte order mark, otherwise null.
const char* encoding_of_bom(std::string_view text);
// Says why `text` is not UTF-8 ("byte 7 (line 2) is no valid UTF-8"), for a message that begins with the file's name.
// Returns an empty text when it is UTF-8.
std::string utf8_problem(std::string_view text);

// Writes each byte that is not valid UTF-8 as \xHH. Messages show file names this way, since a name need not be UTF-8.
std::string escape_invalid_utf8(std::string_view text);
// escape_name() does the same for files that are read again (JSON, YAML) and must be UTF-8; unescape_name() restores
// the exact bytes. To keep this unambiguous, a backslash that would read as such an escape is itself written as \x5C.
std::string escape_name(std::string_view name);
std::string unescape_name(std::string_view text);

}  // namespace longbow
