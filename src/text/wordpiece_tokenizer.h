// BERT's WordPiece: the longest prefix of a word that is in the vocabulary, then the longest "##" piece of the rest, and so on;
// [UNK] for a word that cannot be spelled so or is longer than 100 characters.
#pragma once

#include "longbow/text/tokenizer.h"
#include "string_table.h"

namespace longbow {

struct WordPieceVocab {
    std::vector<std::string> tokens;
    StringTable table;         // of distinct tokens
    std::vector<TokenId> ids;  // of table's entries
    std::size_t longest = 0;   // bytes
    TokenId unknown = 0, separator = 0;

    // vocab.txt: a token a line, its id the line's number from 0. Throws DataError with `name` and the line on a token that stands
    // twice, or when [UNK] or [SEP] is missing.
    static WordPieceVocab parse(std::string_view text, const std::string& name);
};

class WordPieceTokenizer : public Tokenizer {
public:
    WordPieceTokenizer(WordPieceVocab vocab, bool uncased);
    [[nodiscard]] std::string kind() const override { return "wordpiece"; }
    [[nodiscard]] std::int64_t vocab_size() const override { return static_cast<std::int64_t>(vocab_.tokens.size()); }
    [[nodiscard]] TokenId boundary() const override { return vocab_.separator; }
    void encode(std::string_view text, std::vector<TokenId>& ids) const override;
    // Tokens with spaces between them, "##" pieces joined: white space and case of the text are gone.
    [[nodiscard]] std::string decode(const std::vector<TokenId>& ids) const override;
    [[nodiscard]] std::string token_text(TokenId id) const override;
    // Behind the last blank.
    [[nodiscard]] std::size_t safe_split(std::string_view text) const override;
    [[nodiscard]] std::map<std::string, std::string> files() const override;

private:
    void encode_word(std::string_view word, std::vector<TokenId>& ids) const;

    WordPieceVocab vocab_;
    bool uncased_;
    std::uint64_t cache_owner_;
};

}  // namespace longbow
