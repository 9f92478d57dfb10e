// Makes seeded random text that is hard for tokenizers: several scripts, marks, control characters, all kinds of white
// space, runs.
#pragma once

#include <string>
#include <vector>

#include "longbow/core/random.h"
#include "longbow/core/utf8.h"

namespace longbow {

inline std::string random_text(Random& random, std::size_t characters) {
    static const std::vector<std::pair<char32_t, char32_t>> pools = {
        {'a', 'e'},       {'a', 'z'},         {'0', '9'},         {0x20, 0x7E},       {0, 0x20},
        {0x80, 0x24F},    {0x300, 0x36F},     {0x400, 0x6FF},     {0x2000, 0x206F},   {0x3000, 0x30FF},
        {0x4E00, 0x4E20}, {0xF900, 0xFA00},   {0x1F300, 0x1F6FF}, {0x10D40, 0x10D65}, {0xFE00, 0xFFFF},
        {0xE000, 0xE005}, {0x10000, 0x10FFFF}};
    static const std::vector<std::string> bits = {" ",   "  ", "\n", "\n\n",     "\r\n",         "\r", "'", "'s",
                                                  "'ll", " '", "\t", "\xC2\xA0", "\xE3\x80\x80", "##", "-"};
    std::string text;
    auto pool = pools[random.below(pools.size())];
    for (std::size_t i = 0; i < characters; ++i) {
        if (random.below(4) == 0) pool = pools[random.below(pools.size())];
        if (random.below(4) == 0) text += bits[random.below(bits.size())];
        const auto c = pool.first + static_cast<char32_t>(random.below(pool.second - pool.first + 1));
        append_utf8(text, c >= 0xD800 && c <= 0xDFFF ? 0xFFFD : c);
        if (random.below(8) == 0) append_utf8(text, c < 0xD800 ? c : 'x');
    }
    return text;
}

}  // namespace longbow
