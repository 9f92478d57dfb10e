// Defines small tokenizers whose ids are known by hand and that have the properties on which the data room depends.
#pragma once

#include <algorithm>
#include <string>

#include "longbow/text/tokenizer.h"

namespace longbow::test {

// Makes one token of each pair of bytes inside a word, so that a cut inside a word changes ids. Its lengths are exact,
// and it has more ids than 16 bits hold.
class PairTokenizer : public Tokenizer {
public:
    static constexpr TokenId kBoundary = 256;
    [[nodiscard]] std::string kind() const override { return "pair"; }
    [[nodiscard]] std::int64_t vocab_size() const override { return 257 + 65536; }
    [[nodiscard]] TokenId boundary() const override { return kBoundary; }
    void encode(std::string_view text, std::vector<TokenId>& ids) const override {
        const auto byte = [&](std::size_t i) { return static_cast<TokenId>(static_cast<unsigned char>(text[i])); };
        const auto is_space = [&](std::size_t i) { return text[i] == ' ' || text[i] == '\n'; };
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (!is_space(i) && i + 1 < text.size() && !is_space(i + 1)) {
                ids.push_back(257 + byte(i) * 256 + byte(i + 1));
                ++i;
            } else {
                ids.push_back(byte(i));
            }
        }
    }
    [[nodiscard]] std::string decode(const std::vector<TokenId>& ids) const override {
        std::string text;
        for (const auto id : ids) {
            if (id == kBoundary) continue;
            if (id > kBoundary) text += static_cast<char>((id - 257) / 256);
            text += static_cast<char>(id > kBoundary ? (id - 257) % 256 : id);
        }
        return text;
    }
    [[nodiscard]] std::string token_text(TokenId id) const override { return decode({id}); }
    [[nodiscard]] std::size_t safe_split(std::string_view text) const override {
        const auto last = text.find_last_of(" \n");
        return last == std::string_view::npos ? 0 : last + 1;
    }
    [[nodiscard]] std::map<std::string, std::string> files() const override { return {{"pair.txt", ""}}; }
};

// Makes ids of bytes (16 bits); its text may be cut anywhere.
class ByteTokenizer : public PairTokenizer {
public:
    [[nodiscard]] std::int64_t vocab_size() const override { return 257; }
    void encode(std::string_view text, std::vector<TokenId>& ids) const override {
        for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
    }
    [[nodiscard]] std::size_t safe_split(std::string_view text) const override { return text.size(); }
};

// Makes one token per word (its length) and boundary 0 at each line's end, like the word tokenizer; decodes to other
// text.
class LineTokenizer : public Tokenizer {
public:
    [[nodiscard]] std::string kind() const override { return "line"; }
    [[nodiscard]] std::int64_t vocab_size() const override { return 1000; }
    [[nodiscard]] TokenId boundary() const override { return 0; }
    [[nodiscard]] bool boundary_per_line() const override { return true; }
    void encode(std::string_view text, std::vector<TokenId>& ids) const override {
        while (!text.empty()) {
            const auto end = std::min(text.find('\n'), text.size());
            TokenId word = 0;
            for (std::size_t i = 0; i <= end; ++i) {
                if (i < end && text[i] != ' ') {
                    ++word;
                } else if (word > 0) {
                    ids.push_back(word);
                    word = 0;
                }
            }
            ids.push_back(0);
            text.remove_prefix(std::min(end + 1, text.size()));
        }
    }
    [[nodiscard]] std::string decode(const std::vector<TokenId>& ids) const override {
        return std::string(ids.size(), 'x');
    }
    [[nodiscard]] std::string token_text(TokenId) const override { return "x"; }
    [[nodiscard]] std::size_t safe_split(std::string_view text) const override {
        const auto last = text.rfind('\n');
        return last == std::string_view::npos ? 0 : last + 1;
    }
    [[nodiscard]] std::map<std::string, std::string> files() const override { return {{"line.txt", ""}}; }
};

}  // namespace longbow::test
