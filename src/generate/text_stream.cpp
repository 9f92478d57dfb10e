#include "text_stream.h"

#include <string_view>

#include "longbow/text/reader.h"

namespace longbow {

namespace {

constexpr std::string_view kReplacementText = "\xef\xbf\xbd";  // U+FFFD

// Returns the number of bytes at the end that may still become a character: the start of a multi-byte character, or the
// U+FFFD that a decoder writes for one.
std::size_t unfinished_tail(std::string_view text) {
    std::size_t tail = 0;
    while (text.substr(0, text.size() - tail).ends_with(kReplacementText)) {
        tail += kReplacementText.size();
    }
    if (tail > 0) {
        return tail;
    }
    for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
        const auto byte = static_cast<unsigned char>(text[text.size() - back]);
        if (byte < 0x80) {
            return 0;
        }
        if (byte >= 0xC0) {
            const std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2;
            return length > back ? back : 0;
        }
    }
    return 0;
}

}  // namespace

std::string valid_utf8(std::string text) {
    for (auto at = find_invalid_utf8(text); at != std::string::npos; at = find_invalid_utf8(text)) {
        text.replace(at, 1, kReplacementText);
    }
    return text;
}

TextStream::TextStream(const Tokenizer& tokenizer, std::vector<TokenId> prompt)
    : tokenizer_(tokenizer), ids_(std::move(prompt)), written_(tokenizer_.decode(ids_).size()) {}

std::string TextStream::add(TokenId id) {
    ids_.push_back(id);
    return advance(false);
}

std::string TextStream::finish() { return advance(true); }

std::string TextStream::advance(bool at_end) {
    const auto text = tokenizer_.decode(ids_);
    const auto end = at_end ? text.size() : text.size() - unfinished_tail(text);
    if (end <= written_) {
        return {};
    }
    auto piece = text.substr(written_, end - written_);
    written_ = end;
    return valid_utf8(std::move(piece));
}

}  // namespace longbow
