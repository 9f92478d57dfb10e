// fairseq's dictionary (four specials, then words by count) and its file dict.txt (fairseq/data/dictionary.py).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "longbow/text/tokenizer.h"
#include "string_table.h"
#include "word_counts.h"

namespace longbow {

class Dictionary {
public:
    static constexpr TokenId kBegin = 0, kPad = 1, kEnd = 2, kUnknown = 3, kSpecials = 4;
    static constexpr int kPadding = 8;  // fairseq-preprocess --padding-factor

    // Makes a dictionary of <s> <pad> </s> <unk>.
    Dictionary();
    // Parses lines "<word> <count>[ #fairseq:overwrite]", split at the last space. A word may occur twice only with
    // this flag, which gives it a second id; its first id then stands for no word. Throws DataError with `name` and the
    // line.
    static Dictionary parse(std::string_view text, const std::string& name);
    // Takes words by falling count, ties in the order of code points, and pads with madeupwordNNNN up to a multiple of
    // eight. `limit` is the number of ids before that padding, specials included (fairseq's nwordssrc); 0 takes every
    // word. The specials' own texts, if counted, make no line. Throws what check_limit() throws.
    static Dictionary from_counts(const WordCounts& counts, std::int64_t limit);
    // Throws DataError for a limit that no vocabulary can have. It needs no text and can be called before any is read.
    static void check_limit(std::int64_t limit);
    [[nodiscard]] std::string format() const;

    [[nodiscard]] std::size_t size() const { return symbols_.size(); }
    [[nodiscard]] const std::string& symbol(TokenId id) const { return symbols_[id]; }
    // Returns the word's id, or kUnknown for a word that is not in the dictionary. The specials' texts give the
    // specials.
    [[nodiscard]] TokenId index(std::string_view word) const {
        const auto found = table_.find(word);
        return found == StringTable::kNone ? kUnknown : ids_[found];
    }

private:
    void add(std::string_view word, std::int64_t count);

    std::vector<std::string> symbols_;
    std::vector<std::int64_t> counts_;
    StringTable table_;
    std::vector<TokenId> ids_;  // by entry of table_
};

}  // namespace longbow
