// Text out of a growing list of ids, in pieces of whole UTF-8 characters: a byte-level token may end inside a character, which then
// waits for the next one.
#pragma once

#include <string>
#include <vector>

#include "longbow/text/tokenizer.h"

namespace longbow {

class TextStream {
public:
    // `prompt` is not part of the output, but decides how the next token is written (a space before it or not).
    TextStream(const Tokenizer& tokenizer, std::vector<TokenId> prompt);
    // The text that this token completes; may be empty.
    std::string add(TokenId id);
    // What is left at the end: bytes that never became a character are written as U+FFFD.
    std::string finish();

private:
    std::string advance(bool at_end);

    const Tokenizer& tokenizer_;
    std::vector<TokenId> ids_;
    std::size_t written_;  // bytes of the decoded text already given out (the prompt's, at first)
};

// `text` with each byte that is no part of a valid character replaced by U+FFFD.
std::string valid_utf8(std::string text);

}  // namespace longbow
