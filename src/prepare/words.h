// Counts words in raw text: runs of characters other than Unicode whitespace, as in Python's str.split.
#pragma once

#include <cstdint>
#include <string_view>

namespace longbow {

// Returns whether the last character is whitespace, or `before` for an empty text.
bool ends_in_space(std::string_view text, bool before);

// Counts the words that start in text[begin, end), which may cut a character. `after_space` says whether the character
// before `begin` is whitespace, and is set to the same for `end`.
std::int64_t count_word_starts(std::string_view text, std::size_t begin, std::size_t end, bool& after_space);

}  // namespace longbow
