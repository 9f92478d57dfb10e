// A regular expression of a tokenizer.json, by PCRE2.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "regex_syntax.h"

namespace longbow::hf {

// Part of a text, in bytes.
struct Span {
    std::size_t begin, end;
    bool match;
};

class Regex {
public:
    // Throws RegexError for a pattern that is damaged, or cannot be translated.
    explicit Regex(std::string pattern);
    // Appends the matches in `text`, which is valid UTF-8, as Oniguruma finds one after the other. Throws DataError
    // where the pattern takes too many steps.
    void find(std::string_view text, std::vector<Span>& matches) const;
    [[nodiscard]] const std::string& pattern() const { return pattern_; }

private:
    std::string pattern_;
    std::shared_ptr<void> code_;
};

}  // namespace longbow::hf
