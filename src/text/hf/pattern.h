// The patterns of Split and Replace: a text to find, or a regular expression.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "component.h"
#include "regex.h"

namespace longbow::hf {

class Pattern {
public:
    // Reads "pattern", which is {"String": text} or {"Regex": text}. Throws DataError.
    explicit Pattern(Component& component);
    // A text that is not empty.
    explicit Pattern(std::string text) : text_(std::move(text)) {}

    // Appends the matches in order.
    void find(std::string_view text, std::vector<Span>& matches) const;
    // Writes `text` with `content` in place of each match, or returns false where there is none.
    bool replace(std::string_view text, std::string_view content, std::string& out) const;
    // The character that is all that it finds; nothing where it finds more.
    [[nodiscard]] std::optional<char32_t> character() const;
    [[nodiscard]] bool is_regex(std::string_view text) const { return regex_ && text_ == text; }

private:
    std::string text_;
    std::optional<Regex> regex_;
};

}  // namespace longbow::hf
