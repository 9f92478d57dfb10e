// Whole words of a fairseq dictionary: each line's words, then </s>, for empty lines too.
#pragma once

#include "dictionary.h"
#include "longbow/text/tokenizer.h"
#include "word_counts.h"

namespace longbow {

class WordTokenizer : public Tokenizer {
public:
    explicit WordTokenizer(Dictionary dictionary) : dictionary_(std::move(dictionary)) {}
    [[nodiscard]] std::string kind() const override { return "word"; }
    [[nodiscard]] std::int64_t vocab_size() const override { return static_cast<std::int64_t>(dictionary_.size()); }
    [[nodiscard]] TokenId boundary() const override { return Dictionary::kEnd; }
    [[nodiscard]] bool boundary_per_line() const override { return true; }
    void encode(std::string_view text, std::vector<TokenId>& ids) const override;
    // Words with one space between them, a newline for each </s>.
    [[nodiscard]] std::string decode(const std::vector<TokenId>& ids) const override;
    [[nodiscard]] std::string token_text(TokenId id) const override;
    [[nodiscard]] std::size_t safe_split(std::string_view text) const override { return last_line_end(text); }
    [[nodiscard]] std::map<std::string, std::string> files() const override;

    // Behind the last line end: \n, \r or \r\n, as Python's text files have them; 0 if there is none. A \r at the very end may be
    // half of a \r\n and does not count.
    static std::size_t last_line_end(std::string_view text);
    // The words of training text.
    static WordRule rule();

private:
    Dictionary dictionary_;
};

}  // namespace longbow
