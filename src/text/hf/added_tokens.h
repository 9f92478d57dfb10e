// Added tokens, which are cut out of a text before anything else happens to it: those with `normalized` out of the
// normalized text, the others out of the raw one.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "longbow/text/tokenizer.h"

namespace longbow::hf {

struct AddedToken {
    TokenId id = 0;
    std::string content;
    bool single_word = false, lstrip = false, rstrip = false, normalized = false, special = false;
};

// Finds tokens by their texts: at the first place where one stands, the longest.
class AddedTokens {
public:
    // `texts[i]` is the text of tokens[i] to look for; none is empty, and none is there twice. `ignored[i]`: what is
    // found stays text.
    AddedTokens(std::vector<AddedToken> tokens, std::vector<std::string> texts, std::vector<bool> ignored);
    [[nodiscard]] bool empty() const { return tokens_.empty(); }

    // Calls on_text(piece) and on_token(id) in the order of `text`.
    template <class OnText, class OnToken>
    void split(std::string_view text, OnText&& on_text, OnToken&& on_token) const {
        std::size_t done = 0;
        for (std::size_t at = 0; (at = candidate(text, at)) < text.size();) {
            const auto found = longest(text, at);
            if (found.length == 0) {
                ++at;
                continue;
            }
            const auto begin = at, end = at + found.length;
            at = end;
            const auto extent = accept(text, begin, end, found.token, done);
            if (!extent.taken) continue;
            if (done < extent.begin) on_text(text.substr(done, extent.begin - done));
            on_token(tokens_[found.token].id);
            done = extent.end;
        }
        if (done < text.size()) on_text(text.substr(done));
    }

    // Whether a token may stand across a cut between these two characters, or look across it.
    [[nodiscard]] bool may_span(char32_t before, char32_t after) const;

private:
    struct Node {
        std::vector<std::pair<unsigned char, std::uint32_t>> children;  // by byte
        std::uint32_t token = kNone;
    };
    struct Found {
        std::uint32_t token = 0;
        std::size_t length = 0;
    };
    struct Extent {
        std::size_t begin = 0, end = 0;
        bool taken = false;
    };
    static constexpr std::uint32_t kNone = 0xFFFFFFFF;

    void add(std::uint32_t token, std::string_view text);
    void remember_edges(const AddedToken& token, std::string_view text);
    // The first place from `at` on where a token may begin.
    [[nodiscard]] std::size_t candidate(std::string_view text, std::size_t at) const;
    [[nodiscard]] Found longest(std::string_view text, std::size_t at) const;
    [[nodiscard]] Extent accept(std::string_view text, std::size_t begin, std::size_t end, std::uint32_t token,
                                std::size_t done) const;

    std::vector<AddedToken> tokens_;
    std::vector<bool> ignored_;
    std::vector<Node> nodes_ = std::vector<Node>(1);
    std::array<std::uint8_t, 256>
        first_{};                 // 0: no token begins so; 1: look at the second byte; 2: one byte may be all
    std::bitset<1 << 16> pairs_;  // first two bytes of tokens
    int only_first_ = -1;         // the one byte with which all tokens begin
    std::set<std::pair<char32_t, char32_t>> inside_;  // neighbours in a token
    std::set<char32_t> lstrip_first_, rstrip_last_, word_first_, word_last_;
};

}  // namespace longbow::hf
