// utf8proc 2.8 (Debian 12) knows Unicode 15.0. Equal ids need equal classes, so that what 15.1 and 16.0 changed is
// listed here (UnicodeData.txt 16.0 minus 15.0). A test pins the whole classification.
#include "unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <iterator>

namespace longbow {

namespace {

struct Change {
    char32_t first, last;
    Category category;
};

constexpr Change kChanges[] = {
    {0x897, 0x897, Category::mn},     {0x1B4E, 0x1B4F, Category::po},   {0x1B7F, 0x1B7F, Category::po},
    {0x1C89, 0x1C89, Category::lu},   {0x1C8A, 0x1C8A, Category::ll},   {0x2427, 0x2429, Category::so},
    {0x2FFC, 0x2FFF, Category::so},   {0x31E4, 0x31E5, Category::so},   {0x31EF, 0x31EF, Category::so},
    {0xA7CB, 0xA7CC, Category::lu},   {0xA7CD, 0xA7CD, Category::ll},   {0xA7DA, 0xA7DA, Category::lu},
    {0xA7DB, 0xA7DB, Category::ll},   {0xA7DC, 0xA7DC, Category::lu},   {0x105C0, 0x105F3, Category::lo},
    {0x10D40, 0x10D49, Category::nd}, {0x10D4A, 0x10D4D, Category::lo}, {0x10D4E, 0x10D4E, Category::lm},
    {0x10D4F, 0x10D4F, Category::lo}, {0x10D50, 0x10D65, Category::lu}, {0x10D69, 0x10D6D, Category::mn},
    {0x10D6E, 0x10D6E, Category::pd}, {0x10D6F, 0x10D6F, Category::lm}, {0x10D70, 0x10D85, Category::ll},
    {0x10D8E, 0x10D8F, Category::sm}, {0x10EC2, 0x10EC4, Category::lo}, {0x10EFC, 0x10EFC, Category::mn},
    {0x11380, 0x11389, Category::lo}, {0x1138B, 0x1138B, Category::lo}, {0x1138E, 0x1138E, Category::lo},
    {0x11390, 0x113B5, Category::lo}, {0x113B7, 0x113B7, Category::lo}, {0x113B8, 0x113BA, Category::mc},
    {0x113BB, 0x113C0, Category::mn}, {0x113C2, 0x113C2, Category::mc}, {0x113C5, 0x113C5, Category::mc},
    {0x113C7, 0x113CA, Category::mc}, {0x113CC, 0x113CD, Category::mc}, {0x113CE, 0x113CE, Category::mn},
    {0x113CF, 0x113CF, Category::mc}, {0x113D0, 0x113D0, Category::mn}, {0x113D1, 0x113D1, Category::lo},
    {0x113D2, 0x113D2, Category::mn}, {0x113D3, 0x113D3, Category::lo}, {0x113D4, 0x113D5, Category::po},
    {0x113D7, 0x113D8, Category::po}, {0x113E1, 0x113E2, Category::mn}, {0x116D0, 0x116E3, Category::nd},
    {0x1171E, 0x1171E, Category::mc}, {0x11BC0, 0x11BE0, Category::lo}, {0x11BE1, 0x11BE1, Category::po},
    {0x11BF0, 0x11BF9, Category::nd}, {0x11F5A, 0x11F5A, Category::mn}, {0x13460, 0x143FA, Category::lo},
    {0x16100, 0x1611D, Category::lo}, {0x1611E, 0x16129, Category::mn}, {0x1612A, 0x1612C, Category::mc},
    {0x1612D, 0x1612F, Category::mn}, {0x16130, 0x16139, Category::nd}, {0x16D40, 0x16D42, Category::lm},
    {0x16D43, 0x16D6A, Category::lo}, {0x16D6B, 0x16D6C, Category::lm}, {0x16D6D, 0x16D6F, Category::po},
    {0x16D70, 0x16D79, Category::nd}, {0x18CFF, 0x18CFF, Category::lo}, {0x1CC00, 0x1CCEF, Category::so},
    {0x1CCF0, 0x1CCF9, Category::nd}, {0x1CD00, 0x1CEB3, Category::so}, {0x1E5D0, 0x1E5ED, Category::lo},
    {0x1E5EE, 0x1E5EF, Category::mn}, {0x1E5F0, 0x1E5F0, Category::lo}, {0x1E5F1, 0x1E5FA, Category::nd},
    {0x1E5FF, 0x1E5FF, Category::po}, {0x1F8B2, 0x1F8BB, Category::so}, {0x1F8C0, 0x1F8C1, Category::so},
    {0x1FA89, 0x1FA89, Category::so}, {0x1FA8F, 0x1FA8F, Category::so}, {0x1FABE, 0x1FABE, Category::so},
    {0x1FAC6, 0x1FAC6, Category::so}, {0x1FADC, 0x1FADC, Category::so}, {0x1FADF, 0x1FADF, Category::so},
    {0x1FAE9, 0x1FAE9, Category::so}, {0x1FBCB, 0x1FBEF, Category::so}, {0x2EBF0, 0x2EE5D, Category::lo},
};

}  // namespace

Category general_category(char32_t c) {
    const auto known = utf8proc_category(static_cast<utf8proc_int32_t>(c));
    // U+1171E is the one assigned character whose category has changed.
    if (known != UTF8PROC_CATEGORY_CN && c != 0x1171E) return static_cast<Category>(known);
    const auto* found = std::upper_bound(std::begin(kChanges), std::end(kChanges), c,
                                         [](char32_t x, const Change& r) { return x < r.first; });
    return found != std::begin(kChanges) && c <= std::prev(found)->last ? std::prev(found)->category : Category::cn;
}

CharClass char_class(char32_t c) {
    if ((c >= 0x09 && c <= 0x0D) || c == 0x85) return CharClass::space;
    const auto kind = general_category(c);
    if (kind >= Category::lu && kind <= Category::lo) return CharClass::letter;
    if (kind >= Category::nd && kind <= Category::no) return CharClass::number;
    return kind >= Category::zs && kind <= Category::zp ? CharClass::space : CharClass::other;
}

bool is_python_space(char32_t c) {
    if (c < 0x80) return c == ' ' || (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x1F);
    return char_class(c) == CharClass::space;
}

}  // namespace longbow
