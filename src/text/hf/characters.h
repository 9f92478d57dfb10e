// Classes of characters by which the parts of `tokenizers` 0.23 disagree: each part has the tables of its own library.
#pragma once

#include <string>

namespace longbow::hf {

bool is_space(char32_t c);           // White_Space
bool is_regex_word(char32_t c);      // \w of the patterns of Split and Replace (Oniguruma)
bool is_word(char32_t c);            // \w of Whitespace and of added tokens that are single words (Rust's regex)
bool is_numeric(char32_t c);         // Digits (Rust, Unicode 17.0)
bool is_punctuation(char32_t c);     // Punctuation
bool is_combining_mark(char32_t c);  // StripAccents (Unicode 9.0)
void append_lower(std::string& out, char32_t c);  // Lowercase (Rust, Unicode 17.0)

}  // namespace longbow::hf
