// Decodes a growing list of ids into pieces of whole UTF-8 characters. A byte-level token may end inside a character;
// its bytes are then held back until the next token completes the character.
#pragma once

#include <string>
#include <vector>

#include "longbow/text/tokenizer.h"

namespace longbow {

class TextStream {
public:
    // `prompt` is not part of the output, but it decides how the next token is written (with a space before it or not).
    TextStream(const Tokenizer& tokenizer, std::vector<TokenId> prompt);
    // Returns the text that this token completes; it may be empty.
    std::string add(TokenId id);
    // Returns the held-back rest. Bytes that never became a character are written as U+FFFD.
    std::string finish();

private:
    std::string advance(bool at_end);

    const Tokenizer& tokenizer_;
    std::vector<TokenId> ids_;
    std::size_t written_;  // bytes of the decoded text that were returned already (at first, the prompt's)
};

// `text` with each byte that is no part of a valid character replaced by U+FFFD.
std::string valid_utf8(std::string text);

}  // namespace longbow
