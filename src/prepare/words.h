// Words as `longbow` counts them in raw text: runs of characters other than Unicode whitespace (Python's str.split).
#pragma once

#include <cstdint>
#include <string_view>

namespace longbow {

// Whether the last character is whitespace; `before` for an empty text.
bool ends_in_space(std::string_view text, bool before);

// Counts the words that start in text[begin, end), which may cut a character. `after_space`: whether the character before `begin` is
// whitespace; set to the same for `end`.
std::int64_t count_word_starts(std::string_view text, std::size_t begin, std::size_t end, bool& after_space);

}  // namespace longbow
