#include "words.h"

#include <algorithm>
#include <array>

namespace longbow {

namespace {

enum class Byte : unsigned char { other, space, lead, continuation };

// Only four bytes begin a multi-byte whitespace character: U+0085 and U+00A0, U+1680, U+2000 and later ones, U+3000.
constexpr std::array<Byte, 256> kBytes = [] {
    std::array<Byte, 256> bytes{};
    for (int b = 9; b <= 13; ++b) bytes[b] = Byte::space;
    for (int b = 28; b <= 32; ++b) bytes[b] = Byte::space;
    for (int b = 0x80; b < 0xC0; ++b) bytes[b] = Byte::continuation;
    for (int b : {0xC2, 0xE1, 0xE2, 0xE3}) bytes[b] = Byte::lead;
    return bytes;
}();

bool is_wide_space(std::string_view text) {
    const auto at = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
    switch (at(0)) {
        case 0xC2: return at(1) == 0x85 || at(1) == 0xA0;
        case 0xE1: return at(1) == 0x9A && at(2) == 0x80;
        case 0xE2:
            return (at(1) == 0x80 &&
                    ((at(2) >= 0x80 && at(2) <= 0x8A) || at(2) == 0xA8 || at(2) == 0xA9 || at(2) == 0xAF)) ||
                   (at(1) == 0x81 && at(2) == 0x9F);
        case 0xE3: return at(1) == 0x80 && at(2) == 0x80;
        default: return false;
    }
}

}  // namespace

std::int64_t count_word_starts(std::string_view text, std::size_t begin, std::size_t end, bool& after_space) {
    std::int64_t words = 0;
    bool after = after_space;
    for (std::size_t i = begin; i < end; ++i) {
        const Byte kind = kBytes[static_cast<unsigned char>(text[i])];
        if (kind == Byte::continuation) continue;
        const bool space = kind == Byte::space || (kind == Byte::lead && is_wide_space(text.substr(i)));
        words += static_cast<std::int64_t>(after && !space);
        after = space;
    }
    after_space = after;
    return words;
}

bool ends_in_space(std::string_view text, bool before) {
    std::size_t begin = text.size();
    while (begin > 0 && kBytes[static_cast<unsigned char>(text[begin - 1])] == Byte::continuation) --begin;
    if (begin > 0) --begin;
    (void)count_word_starts(text, begin, text.size(), before);
    return before;
}

}  // namespace longbow
