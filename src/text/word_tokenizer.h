// Encodes a text by the whole words of a fairseq dictionary: the words of each line, then </s>, also for empty lines.
#pragma once

#include "dictionary.h"
#include "longbow/text/tokenizer.h"
#include "word_counts.h"

namespace longbow {

class WordTokenizer : public Tokenizer {
public:
    explicit WordTokenizer(Dictionary dictionary) : dictionary_(std::move(dictionary)) {}
    static constexpr const char* kKind = "word";
    [[nodiscard]] std::string kind() const override { return kKind; }
    [[nodiscard]] std::int64_t vocab_size() const override { return static_cast<std::int64_t>(dictionary_.size()); }
    [[nodiscard]] TokenId boundary() const override { return Dictionary::kEnd; }
    [[nodiscard]] bool boundary_per_line() const override { return true; }
    void encode(std::string_view text, std::vector<TokenId>& ids) const override;
    // Writes one space between words, and a newline for each </s>.
    [[nodiscard]] std::string decode(const std::vector<TokenId>& ids) const override;
    [[nodiscard]] std::string token_text(TokenId id) const override;
    [[nodiscard]] std::size_t safe_split(std::string_view text) const override { return last_line_end(text); }
    [[nodiscard]] std::map<std::string, std::string> files() const override;

    // Returns the position after the last line end (\n, \r or \r\n, as in Python's text files), or 0 if there is none.
    // A \r at the very end may be the half of a \r\n and does not count.
    static std::size_t last_line_end(std::string_view text);
    // Returns the rule by which training text is cut into words.
    static WordRule rule();

private:
    Dictionary dictionary_;
};

}  // namespace longbow
