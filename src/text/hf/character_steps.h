// Steps that look at one character at a time: Digits, Punctuation, Whitespace and WhitespaceSplit.
#pragma once

#include <array>
#include <memory>

#include "behavior.h"
#include "pre_tokenizer.h"

namespace longbow::hf {

// Which characters match; `byte_names`: a piece's bytes stand for the characters that name them.
class CharacterSet {
public:
    CharacterSet(bool (*holds)(char32_t), bool byte_names);
    // Whether the character at text[at] matches, and its length in bytes.
    [[nodiscard]] std::pair<bool, unsigned> scan(std::string_view text, std::size_t at) const;
    [[nodiscard]] bool contains(char32_t c) const;

private:
    bool (*contains_)(char32_t);
    bool byte_names_;
    std::array<bool, 256> bytes_;  // with byte_names all, without it those of ASCII
};

std::unique_ptr<Step> character_step(CharacterSet set, Behavior behavior);
// Words and runs of what is neither a word nor white space; white space is left out.
std::unique_ptr<Step> whitespace_step(bool byte_names);

}  // namespace longbow::hf
