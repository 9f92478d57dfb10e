#include "added_tokens.h"

#include <algorithm>
#include <cstring>

#include "characters.h"
#include "longbow/core/utf8.h"

namespace longbow::hf {

AddedTokens::AddedTokens(std::vector<AddedToken> tokens, std::vector<std::string> texts, std::vector<bool> ignored)
    : tokens_(std::move(tokens)), ignored_(std::move(ignored)) {
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
        add(static_cast<std::uint32_t>(i), texts[i]);
        remember_edges(tokens_[i], texts[i]);
    }
    if (std::count(first_.begin(), first_.end(), 0) == 255) {
        only_first_ = static_cast<int>(std::find_if(first_.begin(), first_.end(), [](auto f) { return f != 0; }) -
                                       first_.begin());
    }
}

void AddedTokens::add(std::uint32_t token, std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    if (text.size() == 1)
        first_[byte(0)] = 2;
    else
        pairs_.set(static_cast<std::size_t>(byte(0)) << 8 | byte(1));
    first_[byte(0)] = std::max<std::uint8_t>(first_[byte(0)], 1);
    std::uint32_t node = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        auto& children = nodes_[node].children;
        const auto place = std::lower_bound(children.begin(), children.end(), std::pair(byte(i), std::uint32_t{0}));
        if (place != children.end() && place->first == byte(i)) {
            node = place->second;
            continue;
        }
        const auto added = static_cast<std::uint32_t>(nodes_.size());
        children.insert(place, {byte(i), added});
        nodes_.emplace_back();
        node = added;
    }
    nodes_[node].token = token;
}

void AddedTokens::remember_edges(const AddedToken& token, std::string_view text) {
    const auto first = decode_utf8(text).value, last = decode_utf8_back(text).value;
    if (token.lstrip) lstrip_first_.insert(first);
    if (token.rstrip) rstrip_last_.insert(last);
    if (token.single_word) {
        word_first_.insert(first);
        word_last_.insert(last);
    }
    for (std::size_t at = 0; at < text.size();) {
        const auto one = decode_utf8(text.substr(at));
        at += one.length;
        if (at < text.size()) inside_.emplace(one.value, decode_utf8(text.substr(at)).value);
    }
}

std::size_t AddedTokens::candidate(std::string_view text, std::size_t at) const {
    if (tokens_.empty()) return text.size();
    while (at < text.size()) {
        if (only_first_ >= 0) {
            const auto* found = static_cast<const char*>(std::memchr(text.data() + at, only_first_, text.size() - at));
            if (found == nullptr) return text.size();
            at = static_cast<std::size_t>(found - text.data());
        }
        const auto byte = static_cast<unsigned char>(text[at]);
        if (const auto begins = first_[byte]; begins != 0) {
            if (begins == 2) return at;
            if (at + 1 == text.size()) return text.size();
            if (pairs_[static_cast<std::size_t>(byte) << 8 | static_cast<unsigned char>(text[at + 1])]) return at;
        }
        ++at;
    }
    return at;
}

AddedTokens::Found AddedTokens::longest(std::string_view text, std::size_t at) const {
    Found found;
    std::uint32_t node = 0;
    for (auto i = at; i < text.size(); ++i) {
        const auto& children = nodes_[node].children;
        const auto byte = static_cast<unsigned char>(text[i]);
        const auto place = std::lower_bound(children.begin(), children.end(), std::pair(byte, std::uint32_t{0}));
        if (place == children.end() || place->first != byte) break;
        node = place->second;
        if (nodes_[node].token != kNone) found = {nodes_[node].token, i + 1 - at};
    }
    return found;
}

// As `tokenizers` does: a token that is found but not taken is over, and what follows it is searched on. White space
// that a token takes along on its right may hold other tokens.
AddedTokens::Extent AddedTokens::accept(std::string_view text, std::size_t begin, std::size_t end, std::uint32_t token,
                                        std::size_t done) const {
    if (ignored_[token]) return {};
    const auto& added = tokens_[token];
    if (added.single_word) {
        if (begin > 0 && is_word(decode_utf8_back(text.substr(0, begin)).value)) return {};
        if (end < text.size() && is_word(decode_utf8(text.substr(end)).value)) return {};
    }
    if (added.lstrip) {
        auto left = begin;
        while (left > done) {
            const auto c = decode_utf8_back(text.substr(0, left));
            if (!is_space(c.value)) break;
            left -= c.length;
        }
        begin = std::max(left, done);
    }
    if (added.rstrip) {
        while (end < text.size()) {
            const auto c = decode_utf8(text.substr(end));
            if (!is_space(c.value)) break;
            end += c.length;
        }
    }
    return {begin, end, true};
}

bool AddedTokens::may_span(char32_t before, char32_t after) const {
    if (tokens_.empty()) return false;
    if (inside_.contains({before, after})) return true;
    if (word_last_.contains(before) || word_first_.contains(after)) return true;
    const bool left = is_space(before), right = is_space(after);
    if (!lstrip_first_.empty() && left && (right || lstrip_first_.contains(after))) return true;
    return !rstrip_last_.empty() && right && (left || rstrip_last_.contains(before));
}

}  // namespace longbow::hf
