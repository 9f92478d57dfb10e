// BERT's WordPiece: a word becomes its longest prefix that is in the vocabulary, then the longest "##" piece of the
// rest, and so on. A word that cannot be spelled this way or has more than 100 characters becomes [UNK].
#pragma once

#include "longbow/text/tokenizer.h"
#include "string_table.h"

namespace longbow {

struct WordPieceVocab {
    std::vector<std::string> tokens;
    StringTable table;         // the distinct tokens
    std::vector<TokenId> ids;  // by entry of table
    std::size_t longest = 0;   // bytes of the longest token
    TokenId unknown = 0, separator = 0;

    // Parses a vocab.txt: one token a line, whose id is the line's number from 0. Throws DataError with `name` and the
    // line for a token that occurs twice, and when [UNK] or [SEP] is missing.
    static WordPieceVocab parse(std::string_view text, const std::string& name);
};

class WordPieceTokenizer : public Tokenizer {
public:
    WordPieceTokenizer(WordPieceVocab vocab, bool uncased);
    static constexpr const char* kKind = "wordpiece";
    [[nodiscard]] std::string kind() const override { return kKind; }
    [[nodiscard]] std::int64_t vocab_size() const override { return static_cast<std::int64_t>(vocab_.tokens.size()); }
    [[nodiscard]] TokenId boundary() const override { return vocab_.separator; }
    [[nodiscard]] bool keeps_nul() const override { return false; }
    void encode(std::string_view text, std::vector<TokenId>& ids) const override;
    // Joins tokens with spaces and "##" pieces without. White space and case of the text are lost.
    [[nodiscard]] std::string decode(const std::vector<TokenId>& ids) const override;
    [[nodiscard]] std::string token_text(TokenId id) const override;
    // Cuts after the last blank.
    [[nodiscard]] std::size_t safe_split(std::string_view text) const override;
    [[nodiscard]] std::map<std::string, std::string> files() const override;

private:
    void encode_word(std::string_view word, std::vector<TokenId>& ids) const;

    WordPieceVocab vocab_;
    bool uncased_;
    std::uint64_t cache_owner_;
};

}  // namespace longbow
