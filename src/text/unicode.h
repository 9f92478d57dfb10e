// The categories and classes of characters by which tokenizers cut words, as of Unicode 16.0 (which `tokenizers` 0.23
// uses), whatever the version of utf8proc.
#pragma once

#include <cstdint>

namespace longbow {

// Unicode's general categories, in the order of utf8proc.
enum class Category : std::uint8_t {
    cn,
    lu,
    ll,
    lt,
    lm,
    lo,
    mn,
    mc,
    me,
    nd,
    nl,
    no,
    pc,
    pd,
    ps,
    pe,
    pi,
    pf,
    po,
    sm,
    sc,
    sk,
    so,
    zs,
    zl,
    zp,
    cc,
    cf,
    cs,
    co
};

Category general_category(char32_t c);

enum class CharClass : std::uint8_t { letter, number, space, other };

// Returns the class that decides \p{L}, \p{N} and \s in GPT-2's pattern.
CharClass char_class(char32_t c);

// Python's str.isspace(), by which fairseq's dictionary splits: CharClass::space and U+001C..U+001F.
bool is_python_space(char32_t c);

}  // namespace longbow
