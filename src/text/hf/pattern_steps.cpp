#include "pattern_steps.h"

#include "behavior.h"
#include "bpe_model.h"
#include "longbow/core/utf8.h"
#include "pattern.h"
#include "pretokenize.h"
#include "scanners.h"

namespace longbow::hf {

namespace {

constexpr std::string_view kGpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kBloom = " ?[^(\\s|[.,!?\u2026\u3002\uFF0C\u3001\u0964\u06D4\u060C])]+";
constexpr std::string_view kThreeDigits = "[0-9][0-9][0-9]";

// Puts a space in front, where there is none.
std::string_view with_prefix(std::string_view text, bool prefix, std::string& buffer) {
    if (!prefix || text.starts_with(' ')) return text;
    buffer = ' ';
    buffer += text;
    return buffer;
}

class Gpt2Step : public Step {
public:
    explicit Gpt2Step(bool prefix) : prefix_(prefix) {}
    void run(Piece piece, const Next& next) const override {
        const auto text = with_prefix(piece.text, prefix_, next.buffer());
        for_each_word(text, [&](std::string_view word) { next(word, piece.first && word.data() == text.data()); });
    }
    Cut cut(char32_t& before, char32_t& after) const override {
        if (prefix_ && after != ' ') return Cut::never;
        const auto one = char_class(before), other = char_class(after);
        const bool contraction = before == '\'' && other == CharClass::letter;
        return one != other && one != CharClass::space && !contraction ? Cut::boundary : Cut::never;
    }

private:
    bool prefix_;
};

// ByteLevel without a pattern.
class BytesStep : public Step {
public:
    explicit BytesStep(bool prefix) : prefix_(prefix) {}
    void run(Piece piece, const Next& next) const override { next(with_prefix(piece.text, prefix_, next.buffer())); }
    Cut cut(char32_t& before, char32_t& after) const override {
        if (prefix_ && after != ' ') return Cut::never;
        std::string one, other;
        append_utf8(one, before);
        append_utf8(other, after);
        before = static_cast<unsigned char>(one.back());
        after = static_cast<unsigned char>(other.front());
        return Cut::through;
    }

private:
    bool prefix_;
};

template <int kMostDigits>
class Llama3Step : public Step {
public:
    void run(Piece piece, const Next& next) const override {
        const auto* begin = piece.text.data();
        for_each_llama3_word<kMostDigits>(
            piece.text, [&](std::string_view word) { next(word, piece.first && word.data() == begin); });
    }
    // A run of letters or of numbers ends a match, whatever follows.
    Cut cut(char32_t& before, char32_t& after) const override {
        const auto one = char_class(before);
        const bool ends = one != char_class(after) && (one == CharClass::letter || one == CharClass::number);
        return ends ? Cut::boundary : Cut::never;
    }
};

class BloomStep : public Step {
public:
    void run(Piece piece, const Next& next) const override {
        const auto* begin = piece.text.data();
        for_each_bloom_word(piece.text,
                            [&](std::string_view word) { next(word, piece.first && word.data() == begin); });
    }
    Cut cut(char32_t& before, char32_t& after) const override {
        return !ends_bloom_word(before) && ends_bloom_word(after) ? Cut::boundary : Cut::never;
    }
};

// Its characters are their own names, so that bytes and text are alike.
class ThreeDigitsStep : public Step {
public:
    void run(Piece piece, const Next& next) const override {
        const auto* begin = piece.text.data();
        for_each_three_digits(piece.text,
                              [&](std::string_view word) { next(word, piece.first && word.data() == begin); });
    }
    Cut cut(char32_t& before, char32_t& after) const override {
        const auto digit = [](char32_t c) { return c >= '0' && c <= '9'; };
        return digit(before) && digit(after) ? Cut::never : Cut::through;
    }
};

class SplitStep : public Step {
public:
    SplitStep(Pattern pattern, Behavior behavior, bool invert, bool byte_names)
        : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert), byte_names_(byte_names) {}

    void run(Piece piece, const Next& next) const override {
        std::vector<Span> matches;
        if (byte_names_)
            find_among_names(piece.text, matches);
        else
            pattern_.find(piece.text, matches);
        auto spans = covering(matches, piece.text.size());
        if (invert_) {
            for (auto& span : spans) span.match = !span.match;
        }
        for (const auto& part : pieces_of(spans, behavior_))
            next(piece.text.substr(part.begin, part.end - part.begin), piece.first && part.begin == 0);
    }

    // Known of a pattern of one character alone: it matters to its neighbours at most.
    Cut cut(char32_t& before, char32_t& after) const override {
        const auto c = pattern_.character();
        if (!c || byte_names_ || invert_) return Cut::never;
        return before == *c || after == *c ? Cut::never : Cut::through;
    }

private:
    void find_among_names(std::string_view bytes, std::vector<Span>& matches) const {
        const auto names = bytes_to_name(bytes);
        pattern_.find(names, matches);
        // A name has one or two bytes. Matches come in order, so that one walk finds all their places.
        std::size_t byte = 0, at = 0;
        const auto place = [&](std::size_t wanted) {
            while (at < wanted) at += byte_name(static_cast<unsigned char>(bytes[byte++])).size();
            return byte;
        };
        for (auto& match : matches) {
            match.begin = place(match.begin);
            match.end = place(match.end);
        }
    }

    Pattern pattern_;
    Behavior behavior_;
    bool invert_, byte_names_;
};

}  // namespace

std::unique_ptr<Step> split_step(Component& component, bool byte_names) {
    Pattern pattern(component);
    const auto behavior = read_behavior(component);
    const bool invert = component.flag("invert");
    if (behavior == Behavior::isolated) {
        if (pattern.is_regex(kThreeDigits)) return std::make_unique<ThreeDigitsStep>();
        if (!byte_names && pattern.is_regex(kGpt2)) return gpt2_step(false);
        if (!byte_names && pattern.is_regex(kLlama3)) return std::make_unique<Llama3Step<3>>();
        if (!byte_names && pattern.is_regex(kQwen2)) return std::make_unique<Llama3Step<1>>();
        if (!byte_names && pattern.is_regex(kBloom)) return std::make_unique<BloomStep>();
    }
    return std::make_unique<SplitStep>(std::move(pattern), behavior, invert, byte_names);
}

std::unique_ptr<Step> gpt2_step(bool prefix) { return std::make_unique<Gpt2Step>(prefix); }

std::unique_ptr<Step> bytes_step(bool prefix) { return std::make_unique<BytesStep>(prefix); }

}  // namespace longbow::hf
