#include "pretokenize.h"

#include "longbow/core/strings.h"

namespace longbow {

namespace {

constexpr std::array<std::uint8_t, 256> byte_classes() {
    std::array<std::uint8_t, 256> classes{};
    for (int c = 0; c < 256; ++c) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        const bool space = c == ' ' || (c >= 0x09 && c <= 0x0D);
        const bool digit = c >= '0' && c <= '9';
        const auto kind = letter  ? CharClass::letter
                          : digit ? CharClass::number
                          : space ? CharClass::space
                                  : CharClass::other;
        classes[static_cast<std::size_t>(c)] = c < 0x80 ? static_cast<std::uint8_t>(kind) : kNotAscii;
    }
    return classes;
}

}  // namespace

const std::array<std::uint8_t, 256> kByteClass = byte_classes();

std::size_t contraction_length(std::string_view text, std::size_t at) {
    const auto rest = text.substr(at + 1, 2);
    if (rest.empty()) return 0;
    if (rest[0] == 's' || rest[0] == 't' || rest[0] == 'm' || rest[0] == 'd') return 2;
    return rest == "re" || rest == "ve" || rest == "ll" ? 3 : 0;
}

// A match of the pattern contains one class of characters, after at most one space, or an apostrophe and letters. So a
// change of class ends a match, except after white space (its last character belongs to the next match) and between an
// apostrophe and a letter.
std::size_t last_word_boundary(std::string_view text) {
    std::size_t at = text.size();
    if (at == 0) return 0;
    auto after = decode_utf8_back(text);
    auto after_kind = char_class(after.value);
    at -= after.length;
    while (at > 0) {
        const auto before = decode_utf8_back(text.substr(0, at));
        const auto kind = char_class(before.value);
        const bool contraction = before.value == '\'' && after_kind == CharClass::letter;
        if (kind != after_kind && kind != CharClass::space && !contraction) return at;
        after_kind = kind;
        at -= before.length;
    }
    return 0;
}

}  // namespace longbow
