// The character classes by which tokenizers cut words.
#pragma once

#include <cstdint>

namespace longbow {

enum class CharClass : std::uint8_t { letter, number, space, other };

// Returns the class that decides \p{L}, \p{N} and \s in GPT-2's pattern, as of Unicode 16.0 (which `tokenizers` 0.23
// uses), whatever the version of utf8proc.
CharClass char_class(char32_t c);

// Python's str.isspace(), by which fairseq's dictionary splits: CharClass::space and U+001C..U+001F.
bool is_python_space(char32_t c);

}  // namespace longbow
