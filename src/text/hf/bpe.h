// The BPE model of a tokenizer.json: pieces of text to ids.
//
// A piece may be a whole document (Llama 2 has no pre-tokenizer). It is cut wherever no merge can reach across: between
// two characters that no merge has as the last of its left side and the first of its right side. The parts are mostly
// words, whose ids are cached; a long one is merged with a heap.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../bpe_merges.h"
#include "../string_table.h"
#include "../word_cache.h"
#include "small_tables.h"

namespace longbow::hf {

struct BpeOptions {
    std::string unknown;  // the token of characters that the vocabulary lacks; empty: they are left out
    bool fuse_unknown = false, byte_fallback = false, ignore_merges = false;
    bool byte_level = false;  // pieces are bytes, which the vocabulary names by characters
};

// What a vocabulary's file says. Ids are distinct, as are texts.
struct BpeVocabulary {
    std::vector<std::pair<std::string, std::uint64_t>> tokens;
    std::vector<std::pair<std::string, std::string>> merges;
};

class Bpe {
public:
    // Throws DataError with `name`, the file, for ids or texts that occur twice, ids far above their number, and merges
    // of what the vocabulary lacks. Of a merge that is written twice the last one counts, as in `tokenizers`.
    Bpe(const BpeVocabulary& vocabulary, BpeOptions options, const std::string& name);

    // Appends the ids of a piece.
    void encode(std::string_view piece, WordCache& cache, std::vector<TokenId>& ids) const;
    // Whether no merge reaches across two neighbours: characters, or bytes where the pieces are bytes.
    [[nodiscard]] bool may_cut(char32_t before, char32_t after) const;

    [[nodiscard]] std::optional<TokenId> find(std::string_view token) const;
    // The token's text as the vocabulary has it; null where no token has this id.
    [[nodiscard]] const std::string* text(TokenId id) const;
    [[nodiscard]] std::size_t size() const { return count_; }        // tokens
    [[nodiscard]] std::size_t end() const { return texts_.size(); }  // highest id + 1

private:
    // What a character becomes: a token, the tokens of its bytes, an unknown token, or nothing.
    enum class Known : std::uint8_t { token, bytes, unknown };
    struct Symbol {
        Known known;
        TokenId id;
    };

    void add_tokens(const BpeVocabulary& vocabulary, const std::string& name);
    void add_merges(const BpeVocabulary& vocabulary, const std::string& name);
    void remember_neighbours(std::string_view left, std::string_view right);
    [[nodiscard]] Symbol look_up(std::string_view character) const;
    [[nodiscard]] Symbol symbol(char32_t c, std::string_view character) const;
    [[nodiscard]] bool joined(char32_t before, char32_t after) const {
        return before < 256 && after < 256 ? near_[before << 8 | after]
                                           : far_.find(std::uint64_t{before} << 32 | after) != nullptr;
    }
    [[nodiscard]] bool is_fixed(char32_t c, std::string_view character) const;
    void encode_bytes(std::string_view piece, WordCache& cache, std::vector<TokenId>& ids) const;
    void encode_text(std::string_view piece, WordCache& cache, std::vector<TokenId>& ids) const;
    void encode_part(std::string_view part, WordCache& cache, std::vector<TokenId>& ids) const;
    void merge(std::string_view part, std::vector<TokenId>& ids) const;
    void add_symbols(std::string_view part, std::vector<TokenId>& ids) const;

    BpeOptions options_;
    std::vector<std::string> texts_;  // by id; empty: none
    std::size_t count_ = 0, longest_ = 0;
    StringTable table_;         // the tokens' texts
    std::vector<TokenId> ids_;  // by entry of table_
    StringTable whole_;         // with ignore_merges and bytes: the tokens' bytes
    std::vector<TokenId> whole_ids_;
    bool bytes_ = false;                       // pieces are bytes, and the vocabulary has all of them
    std::array<TokenId, 256> byte_ids_{};      // of bytes_: the token of a byte
    std::array<TokenId, 256> fallback_ids_{};  // of byte_fallback: <0x00> to <0xFF>
    bool all_fallbacks_ = false;
    std::optional<TokenId> unknown_;
    std::array<Symbol, 128> ascii_{};
    std::vector<bool> near_ = std::vector<bool>(1 << 16);
    NumberTable<std::uint64_t, bool> far_;
    NumberTable<char32_t, Symbol> others_;  // beyond ASCII: tokens of one character
    bool cuttable_ = true;
    BpeMerges merges_{{}};
};

}  // namespace longbow::hf
