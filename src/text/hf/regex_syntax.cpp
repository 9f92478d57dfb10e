#include "regex_syntax.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <optional>

#include "characters.h"
#include "longbow/core/utf8.h"
#include "unicode.h"

namespace longbow::hf {

namespace {

constexpr std::size_t kLongest = 16 << 10;
constexpr int kDeepest = 50;

bool is_digit(char32_t c) { return c >= '0' && c <= '9'; }
bool is_letter(char32_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// The categories of a name of one or two letters, from the first to the last; nothing for another name.
std::optional<std::pair<Category, Category>> categories(std::string_view name) {
    static const std::map<std::string_view, std::pair<Category, Category>> known = [] {
        using C = Category;
        std::map<std::string_view, std::pair<Category, Category>> all{{"L", {C::lu, C::lo}}, {"M", {C::mn, C::me}},
                                                                      {"N", {C::nd, C::no}}, {"P", {C::pc, C::po}},
                                                                      {"S", {C::sm, C::so}}, {"Z", {C::zs, C::zp}}};
        constexpr std::string_view each[] = {"Cn", "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd",
                                             "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm",
                                             "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co"};
        for (std::size_t i = 0; i < std::size(each); ++i) {
            if (each[i] != "Cs") all[each[i]] = {static_cast<C>(i), static_cast<C>(i)};
        }
        return all;
    }();
    const auto found = known.find(name);
    return found == known.end() ? std::nullopt : std::optional(found->second);
}

class Translator {
public:
    Translator(std::string_view pattern, const std::function<std::string(const RegexClass&)>& write_class)
        : pattern_(pattern), write_class_(write_class) {}

    std::string translate() {
        if (pattern_.size() > kLongest) throw RegexError("it is longer than 16 KiB");
        alternatives();
        if (!at_end()) refuse("a parenthesis is closed that nothing has opened");
        return std::move(out_);
    }

private:
    [[noreturn]] void refuse(const std::string& what) const {
        throw RegexError(what + fmt::format(" (at byte {})", at_));
    }
    [[nodiscard]] bool at_end() const { return at_ == pattern_.size(); }
    [[nodiscard]] bool next_is(std::string_view text) const { return pattern_.substr(at_).starts_with(text); }
    bool take(std::string_view text) {
        if (!next_is(text)) return false;
        at_ += text.size();
        return true;
    }
    char32_t take_character() {
        if (at_end()) refuse("it ends where more was expected");
        const auto c = decode_utf8(pattern_.substr(at_));
        at_ += c.length;
        return c.value;
    }

    void alternatives() {
        if (++depth_ > kDeepest) refuse("groups are nested too deep");
        for (;;) {
            before_.clear();
            while (!at_end() && !next_is("|") && !next_is(")")) piece();
            if (!take("|")) break;
            out_ += '|';
        }
        --depth_;
    }

    // An atom with its quantifier.
    void piece() {
        const auto begin = out_.size();
        const bool repeatable = atom();
        const auto repeats = quantifier();
        if (repeats.empty()) return;
        if (!repeatable) refuse("a repeated assertion");
        out_ += repeats;
        // {1,3}+ is possessive to PCRE2, and one repetition of another to Oniguruma.
        if (repeats.back() == '}' && take("+")) {
            out_.insert(begin, "(?:");
            out_ += ")+";
        } else if (next_is("?") || next_is("+")) {
            if (repeats.back() == '}' && repeats.find(',') == std::string::npos) refuse("a suffix of {n}");
            out_ += pattern_[at_++];
        }
        if (!quantifier().empty()) refuse("a quantifier of a quantifier");
        before_.clear();
    }

    // Returns what stands here as PCRE2 writes it: *, +, ?, {n,m}; empty if there is none.
    std::string quantifier() {
        if (at_end()) return {};
        const char c = pattern_[at_];
        if (c == '*' || c == '+' || c == '?') {
            ++at_;
            return {c};
        }
        const auto interval = this->interval();
        if (interval.empty()) return {};
        if (caseless_) refuse("an interval where case is ignored");
        return interval;
    }

    std::string interval() {
        if (!next_is("{")) return {};
        auto at = at_ + 1;
        const auto digits = [&] {
            const auto begin = at;
            while (at < pattern_.size() && is_digit(static_cast<unsigned char>(pattern_[at]))) ++at;
            return std::string(pattern_.substr(begin, at - begin));
        };
        const auto low = digits();
        const bool comma = at < pattern_.size() && pattern_[at] == ',';
        if (comma) ++at;
        const auto high = comma ? digits() : std::string();
        if (at >= pattern_.size() || pattern_[at] != '}' || (low.empty() && high.empty())) return {};
        if (low.size() > 4 || high.size() > 4) refuse("an interval of more than 9,999");
        at_ = at + 1;
        return "{" + (low.empty() ? "0" : low) + (comma ? "," + high : "") + "}";
    }

    // Writes an atom, and returns whether it may be repeated.
    bool atom() {
        if (take("(")) return group();
        if (take("[")) {
            write(character_class(0));
            return true;
        }
        if (take("^")) return assertion("(?m:^)");
        if (take("$")) return assertion("(?m:$)");
        if (take(".")) {
            write({.points = CodePoints::range('\n', '\n'), .negated = true});
            return true;
        }
        if (take("\\")) return escape();
        if (next_is("*") || next_is("+") || next_is("?")) refuse("a quantifier of nothing");
        if (!interval().empty()) refuse("a quantifier of nothing");
        literal(take_character());
        return true;
    }

    bool assertion(const char* text) {
        out_ += text;
        before_.clear();
        return false;
    }

    bool group() {
        const bool outer = caseless_;
        bool repeatable = true;
        if (take("?")) {
            const auto opening = std::find_if(std::begin(kOpenings), std::end(kOpenings),
                                              [&](std::string_view each) { return next_is(each); });
            if (opening == std::end(kOpenings)) refuse("a group of this kind is not known here");
            at_ += opening->size();
            repeatable = *opening == ":" || *opening == ">" || *opening == "i:" || *opening == "-i:";
            if (*opening == "i:") caseless_ = true;
            if (*opening == "-i:") caseless_ = false;
            out_ += "(?";
            out_ += *opening;
        } else {
            out_ += "(?:";
        }
        alternatives();
        if (!take(")")) refuse("a parenthesis is not closed");
        out_ += ')';
        caseless_ = outer;
        before_.clear();
        return repeatable;
    }

    bool escape() {
        if (next_is("A") || next_is("z") || next_is("Z")) {
            const std::string text{'\\', pattern_[at_++]};
            return assertion(text.c_str());
        }
        if (auto found = class_escape()) {
            write(*found);
            return true;
        }
        literal(character_escape());
        return true;
    }

    // The class behind a backslash; nothing where none stands there.
    std::optional<RegexClass> class_escape() {
        const char c = at_end() ? '\0' : pattern_[at_];
        if (c == 'p' || c == 'P') return property();
        const auto of = [&](bool (*holds)(char32_t)) {
            ++at_;
            return RegexClass{.points = CodePoints::where(holds), .negated = c >= 'A' && c <= 'Z'};
        };
        switch (c) {
            case 's':
            case 'S': return of(is_space);
            case 'w':
            case 'W': return of(is_regex_word);
            case 'd':
            case 'D': return of([](char32_t x) { return general_category(x) == Category::nd; });
            case 'h':
            case 'H':
                return of([](char32_t x) { return is_digit(x) || (x >= 'a' && x <= 'f') || (x >= 'A' && x <= 'F'); });
            default: return std::nullopt;
        }
    }

    RegexClass property() {
        const bool upper = pattern_[at_++] == 'P';
        if (!take("{")) refuse("\\p without braces");
        const bool inverted = take("^");
        const auto end = std::min(pattern_.find('}', at_), pattern_.size());
        const auto name = pattern_.substr(at_, end - at_);
        const auto span = categories(name);
        if (!span) refuse("\\p{" + std::string(name) + "} is no general category");
        at_ = end + 1;
        auto points = CodePoints::where([&](char32_t c) {
            const auto kind = general_category(c);
            return kind >= span->first && kind <= span->second;
        });
        return {.points = std::move(points), .negated = upper != inverted, .properties = {std::string(name)}};
    }

    char32_t character_escape() {
        const auto c = take_character();
        const auto hex = [&](std::size_t most) {
            char32_t value = 0;
            std::size_t count = 0;
            for (; count < most && !at_end(); ++count, ++at_) {
                const auto digit = std::string_view("0123456789abcdef").find(static_cast<char>(pattern_[at_] | 0x20));
                if (digit == std::string_view::npos || pattern_[at_] < '0') break;
                value = value * 16 + static_cast<char32_t>(digit);
            }
            if (count == 0 || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
                refuse("a number of no character");
            return value;
        };
        switch (c) {
            case 'n': return '\n';
            case 'r': return '\r';
            case 't': return '\t';
            case 'f': return '\f';
            case 'v': return '\v';
            case 'a': return '\a';
            case 'e': return 0x1B;
            case 'u': return hex(4);
            case 'x': {
                const bool braces = take("{");
                const auto value = hex(braces ? 6 : 2);
                if (braces ? !take("}") : value > 0x7F) refuse("a number of no character");
                return value;
            }
            default: break;
        }
        if (c < 0x80 && (is_letter(c) || is_digit(c)))
            refuse(std::string("\\") + static_cast<char>(c) + " is not known here");
        return c;
    }

    void literal(char32_t c) {
        if (caseless_) ignore_case(CodePoints::range(c, c));
        if (c < 0x80 && (is_letter(c) || is_digit(c)))
            out_ += static_cast<char>(c);
        else
            out_ += fmt::format("\\x{{{:X}}}", static_cast<std::uint32_t>(c));
    }

    void write(const RegexClass& found) {
        if (caseless_) ignore_case(found.negated ? found.points.complement() : found.points);
        out_ += write_class_(found);
    }

    // Both libraries ignore the case of ASCII's letters alike, but Oniguruma alone takes a character for several
    // letters (the German sharp s for "ss").
    void ignore_case(const CodePoints& points) {
        std::string letters;
        for (const auto& range : points.ranges()) {
            if (range.last > 0x7F) refuse("characters beyond ASCII where case is ignored");
            for (auto c = range.first; c <= range.last; ++c) letters += static_cast<char>(is_letter(c) ? c | 0x20 : c);
        }
        for (const char a : before_) {
            for (const char b : letters) {
                if ((a == 's' && (b == 's' || b == 't')) || (a == 'f' && (b == 'f' || b == 'i' || b == 'l')))
                    refuse("ss, st, ff, fi or fl where case is ignored");
            }
        }
        before_ = letters;
    }

    // Behind its bracket. Classes may stand in classes, and && intersects what stands on both its sides.
    RegexClass character_class(int depth) {
        if (depth > kDeepest) refuse("classes are nested too deep");
        RegexClass found{.points = {}, .negated = take("^")};
        std::optional<CodePoints> sides;
        for (bool first = true; first || !next_is("]"); first = false) {
            if (next_is("[:")) refuse("a class by name");
            if (take("&&")) {
                sides = sides ? sides->intersection(found.points) : found.points;
                found.points = {};
                continue;
            }
            if (take("[")) {
                const auto inner = character_class(depth + 1);
                found.points.add(inner.negated ? inner.points.complement() : inner.points);
                continue;
            }
            add_item(found);
        }
        ++at_;
        if (sides) found = {.points = sides->intersection(found.points), .negated = found.negated};
        return found;
    }

    void add_item(RegexClass& found) {
        const bool escaped = take("\\");
        if (escaped) {
            if (auto inner = class_escape()) {
                if (next_is("-") && !pattern_.substr(at_).starts_with("-]")) refuse("a range that begins with a class");
                found.points.add(inner->negated ? inner->points.complement() : inner->points);
                if (!inner->negated)
                    found.properties.insert(found.properties.end(), inner->properties.begin(), inner->properties.end());
                return;
            }
        }
        const auto first = escaped ? character_escape() : take_character();
        auto last = first;
        if (next_is("-") && !pattern_.substr(at_).starts_with("-]")) {
            ++at_;
            if (next_is("[") || next_is("&&")) refuse("a range without an end");
            const bool second = take("\\");
            if (second && class_escape()) refuse("a range that ends with a class");
            last = second ? character_escape() : take_character();
        }
        if (first > last) refuse("a range whose end comes before its beginning");
        found.points.add(CodePoints::range(first, last));
    }

    static constexpr std::string_view kOpenings[] = {":", "=", "!", "<=", "<!", ">", "i:", "-i:"};

    std::string_view pattern_;
    const std::function<std::string(const RegexClass&)>& write_class_;
    std::size_t at_ = 0;
    std::string out_;
    std::string before_;  // where case is ignored: letters that may stand before the next atom
    bool caseless_ = false;
    int depth_ = 0;
};

}  // namespace

std::string translate_regex(std::string_view pattern,
                            const std::function<std::string(const RegexClass&)>& write_class) {
    return Translator(pattern, write_class).translate();
}

}  // namespace longbow::hf
