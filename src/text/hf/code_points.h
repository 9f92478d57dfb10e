// Sets of characters as ranges of code points, for the classes of regular expressions.
#pragma once

#include <functional>
#include <vector>

namespace longbow::hf {

struct CodePointRange {
    char32_t first, last;
    bool operator==(const CodePointRange&) const = default;
};

class CodePoints {
public:
    CodePoints() = default;
    static CodePoints range(char32_t first, char32_t last);
    static CodePoints where(const std::function<bool(char32_t)>& holds);  // of all characters

    void add(const CodePoints& other);
    [[nodiscard]] CodePoints complement() const;  // among all characters; surrogates are none
    [[nodiscard]] CodePoints intersection(const CodePoints& other) const;
    [[nodiscard]] CodePoints without(const CodePoints& other) const { return intersection(other.complement()); }
    [[nodiscard]] bool empty() const { return ranges_.empty(); }
    [[nodiscard]] bool contains(char32_t c) const;
    // In order, apart from each other.
    [[nodiscard]] const std::vector<CodePointRange>& ranges() const { return ranges_; }

private:
    std::vector<CodePointRange> ranges_;
};

}  // namespace longbow::hf
