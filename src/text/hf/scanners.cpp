#include "scanners.h"

namespace longbow::hf {

bool ends_bloom_word(char32_t c) {
    switch (c) {
        case '(':
        case ')':
        case '|':
        case '.':
        case ',':
        case '!':
        case '?':
        case 0x2026:
        case 0x3002:
        case 0xFF0C:
        case 0x3001:
        case 0x0964:
        case 0x06D4:
        case 0x060C: return true;
        default: return char_class(c) == CharClass::space;
    }
}

const std::array<bool, 128> kEndsBloomWord = [] {
    std::array<bool, 128> ends{};
    for (char32_t c = 0; c < 128; ++c) ends[c] = ends_bloom_word(c);
    return ends;
}();

}  // namespace longbow::hf
