// The character classes that tokenizers cut words by.
#pragma once

#include <cstdint>

namespace longbow {

enum class CharClass : std::uint8_t { letter, number, space, other };

// \p{L}, \p{N} and \s of GPT-2's pattern, as of Unicode 16.0 (what `tokenizers` 0.23 uses), whatever the version of utf8proc.
CharClass char_class(char32_t c);

// Python's str.isspace(), which fairseq's dictionary splits by: the white space above and U+001C..U+001F.
bool is_python_space(char32_t c);

}  // namespace longbow
