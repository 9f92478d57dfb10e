// Scanners for the patterns of widely used models, without a regex library. Each calls visit(piece) for every piece of
// the text in order: matches, and what lies between two of them.
#pragma once

#include <string_view>

#include "../pretokenize.h"

namespace longbow::hf {

// (?i:'s|'t|'re|'ve|'m|'ll|'d) at an apostrophe text[at]: its length in bytes, or 0. U+017F is another s.
inline std::size_t caseless_contraction(std::string_view text, std::size_t at) {
    const auto rest = text.substr(at + 1, 2);
    const auto lower = [&](std::size_t i) { return i < rest.size() ? rest[i] | 0x20 : 0; };
    const auto first = lower(0), second = lower(1);
    if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
    if ((first == 'r' || first == 'v') && second == 'e') return 3;
    if (first == 'l' && second == 'l') return 3;
    return rest == "\xC5\xBF" ? 3 : 0;
}

inline bool is_line_end(char c) { return c == '\n' || c == '\r'; }

// Llama 3 (kMostDigits 3) and Qwen2 (1):
//   (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
template <int kMostDigits, class Visit>
void for_each_llama3_word(std::string_view text, Visit&& visit) {
    const std::size_t size = text.size();
    const auto run = [&](std::size_t at, CharClass kind) {
        while (at < size) {
            const auto c = scan_char(text, at);
            if (c.kind != kind) break;
            at += c.length;
        }
        return at;
    };
    const auto line_ends = [&](std::size_t at) {
        while (at < size && is_line_end(text[at])) ++at;
        return at;
    };
    for (std::size_t at = 0, end = 0; at < size; at = end) {
        const auto emit = [&](std::size_t to) {
            end = to;
            visit(text.substr(at, end - at));
        };
        if (text[at] == '\'') {
            if (const auto length = caseless_contraction(text, at); length > 0) {
                emit(at + length);
                continue;
            }
        }
        const auto first = scan_char(text, at);
        const auto next = at + first.length;
        if (first.kind == CharClass::letter) {
            emit(run(next, CharClass::letter));
            continue;
        }
        if (first.kind == CharClass::number) {
            end = next;
            for (int count = 1; count < kMostDigits && end < size; ++count) {
                const auto c = scan_char(text, end);
                if (c.kind != CharClass::number) break;
                end += c.length;
            }
            emit(end);
            continue;
        }
        const auto second = next < size ? scan_char(text, next) : ScannedChar{CharClass::space, 0};
        if (second.kind == CharClass::letter && !is_line_end(text[at])) {
            emit(run(next + second.length, CharClass::letter));
            continue;
        }
        if (first.kind == CharClass::other) {
            emit(line_ends(run(next, CharClass::other)));
            continue;
        }
        if (text[at] == ' ' && second.kind == CharClass::other) {
            emit(line_ends(run(next + second.length, CharClass::other)));
            continue;
        }
        // White space: up to its last line end, or else all but the last character where a word follows.
        std::size_t last = at, behind_line_end = 0;
        for (end = at; end < size;) {
            const auto c = scan_char(text, end);
            if (c.kind != CharClass::space) break;
            last = end;
            if (is_line_end(text[end])) behind_line_end = end + 1;
            end += c.length;
        }
        emit(behind_line_end > 0 ? behind_line_end : end < size && last > at ? last : end);
    }
}

// Whether a character is in BLOOM's class of excluded ones.
bool ends_bloom_word(char32_t c);
extern const std::array<bool, 128> kEndsBloomWord;

inline std::pair<bool, unsigned> scan_bloom(std::string_view text, std::size_t at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte < 0x80) return {kEndsBloomWord[byte], 1};
    const auto c = decode_utf8(text.substr(at, 4));
    return {ends_bloom_word(c.value), c.length};
}

// BLOOM: ` ?[^(\s|[.,!?…。，、।۔،])]+`, where the inner brackets are a class in the class.
template <class Visit>
void for_each_bloom_word(std::string_view text, Visit&& visit) {
    const std::size_t size = text.size();
    std::size_t gap = 0;  // where what is no match begins
    for (std::size_t at = 0; at < size;) {
        const auto [ends, length] = scan_bloom(text, at);
        auto next = at + length;
        if (ends) {
            if (text[at] != ' ' || next == size || scan_bloom(text, next).first) {
                at = next;
                continue;
            }
        }
        if (gap < at) visit(text.substr(gap, at - gap));
        while (next < size) {
            const auto more = scan_bloom(text, next);
            if (more.first) break;
            next += more.second;
        }
        visit(text.substr(at, next - at));
        at = gap = next;
    }
    if (gap < size) visit(text.substr(gap));
}

// Falcon: [0-9][0-9][0-9].
template <class Visit>
void for_each_three_digits(std::string_view text, Visit&& visit) {
    const auto digit = [&](std::size_t at) { return text[at] >= '0' && text[at] <= '9'; };
    std::size_t gap = 0;
    for (std::size_t at = 0; at + 3 <= text.size();) {
        if (!digit(at + 2)) {
            at += 3;
        } else if (!digit(at + 1)) {
            at += 2;
        } else if (!digit(at)) {
            at += 1;
        } else {
            if (gap < at) visit(text.substr(gap, at - gap));
            visit(text.substr(at, 3));
            at = gap = at + 3;
        }
    }
    if (gap < text.size()) visit(text.substr(gap));
}

}  // namespace longbow::hf
