#include "character_steps.h"

#include "bpe_model.h"
#include "characters.h"
#include "longbow/core/utf8.h"

namespace longbow::hf {

namespace {

bool is_neither(char32_t c) { return !is_word(c) && !is_space(c); }

class CharacterStep : public Step {
public:
    CharacterStep(CharacterSet set, Behavior behavior) : set_(set), behavior_(behavior) {}

    void run(Piece piece, const Next& next) const override {
        const auto text = piece.text;
        if (behavior_ == Behavior::isolated || behavior_ == Behavior::contiguous) {
            runs(text, behavior_ == Behavior::isolated, [&](std::size_t begin, std::size_t end, bool) {
                next(text.substr(begin, end - begin), piece.first && begin == 0);
            });
            return;
        }
        std::vector<Span> spans;
        runs(text, true, [&](std::size_t begin, std::size_t end, bool match) { spans.push_back({begin, end, match}); });
        for (const auto& part : pieces_of(spans, behavior_))
            next(text.substr(part.begin, part.end - part.begin), piece.first && part.begin == 0);
    }

    Cut cut(char32_t& before, char32_t& after) const override {
        const bool one = set_.contains(before), other = set_.contains(after);
        switch (behavior_) {
            case Behavior::isolated:
            case Behavior::removed: return one || other ? Cut::boundary : Cut::through;
            case Behavior::contiguous: return one != other ? Cut::boundary : Cut::through;
            case Behavior::merged_with_previous:
            case Behavior::merged_with_next: return one || other ? Cut::never : Cut::through;
        }
        return Cut::never;
    }

private:
    // Visits runs of matching and of other characters; matching ones alone where `single`.
    template <class Visit>
    void runs(std::string_view text, bool single, Visit&& visit) const {
        for (std::size_t begin = 0; begin < text.size();) {
            const auto [match, length] = set_.scan(text, begin);
            auto end = begin + length;
            while (end < text.size() && !(match && single)) {
                const auto more = set_.scan(text, end);
                if (more.first != match) break;
                end += more.second;
            }
            visit(begin, end, match);
            begin = end;
        }
    }

    CharacterSet set_;
    Behavior behavior_;
};

class WhitespaceStep : public Step {
public:
    explicit WhitespaceStep(bool byte_names) : words_(is_word, byte_names), others_(is_neither, byte_names) {}

    void run(Piece piece, const Next& next) const override {
        const auto text = piece.text;
        const auto kind = [&](std::size_t at) {
            const auto word = words_.scan(text, at);
            return std::pair(word.first ? 2 : others_.scan(text, at).first ? 1 : 0, word.second);
        };
        for (std::size_t begin = 0; begin < text.size();) {
            const auto first = kind(begin);
            auto end = begin + first.second;
            while (end < text.size()) {
                const auto more = kind(end);
                if (more.first != first.first) break;
                end += more.second;
            }
            if (first.first != 0) next(text.substr(begin, end - begin), piece.first && begin == 0);
            begin = end;
        }
    }

    Cut cut(char32_t& before, char32_t& after) const override {
        if (words_.contains(before) != words_.contains(after)) return Cut::boundary;
        return others_.contains(before) != others_.contains(after) ? Cut::boundary : Cut::never;
    }

private:
    CharacterSet words_, others_;
};

}  // namespace

CharacterSet::CharacterSet(bool (*holds)(char32_t), bool byte_names) : contains_(holds), byte_names_(byte_names) {
    for (unsigned byte = 0; byte < 256; ++byte) {
        bytes_[byte] = byte_names ? holds(decode_utf8(byte_name(static_cast<unsigned char>(byte))).value)
                                  : byte < 0x80 && holds(byte);
    }
}

std::pair<bool, unsigned> CharacterSet::scan(std::string_view text, std::size_t at) const {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte_names_ || byte < 0x80) return {bytes_[byte], 1};
    const auto c = decode_utf8(text.substr(at, 4));
    return {contains_(c.value), c.length};
}

bool CharacterSet::contains(char32_t c) const { return byte_names_ && c < 256 ? bytes_[c] : contains_(c); }

std::unique_ptr<Step> character_step(CharacterSet set, Behavior behavior) {
    return std::make_unique<CharacterStep>(set, behavior);
}

std::unique_ptr<Step> whitespace_step(bool byte_names) { return std::make_unique<WhitespaceStep>(byte_names); }

}  // namespace longbow::hf
