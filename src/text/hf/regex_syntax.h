// Translates the patterns of a tokenizer.json, which are Oniguruma's, to PCRE2's syntax. Classes of characters are
// written out by this house's tables of Unicode 16.0, so that neither library's version matters. What both libraries
// understand differently (classes in classes, \h, ^, .) is translated; what cannot be is refused.
#pragma once

#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "code_points.h"

namespace longbow::hf {

struct RegexError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// A class as it is written: all of `points`, or all but them.
struct RegexClass {
    CodePoints points;
    bool negated = false;
    std::vector<std::string> properties{};  // general categories that `points` contains ("L", "Nd"), a shorter spelling
};

// Returns the pattern for PCRE2, in which write_class() has written the classes. Throws RegexError.
std::string translate_regex(std::string_view pattern, const std::function<std::string(const RegexClass&)>& write_class);

}  // namespace longbow::hf
