// fairseq's dictionary: four specials, then words by count, and its file dict.txt (fairseq/data/dictionary.py).
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

    // <s> <pad> </s> <unk> alone.
    Dictionary();
    // Lines "<word> <count>[ #fairseq:overwrite]", split at the last space. A word that stands twice is an error, but for the flag,
    // which gives it a second id and leaves the first to nothing. Throws DataError with `name` and the line.
    static Dictionary parse(std::string_view text, const std::string& name);
    // Words by falling count, ties by code point, then madeupwordNNNN up to a multiple of eight. `limit`: ids in all before that
    // padding, specials included (fairseq's nwordssrc); 0 takes every word. Counts of the specials' own texts make no line.
    // Throws what check_limit() throws.
    static Dictionary from_counts(const WordCounts& counts, std::int64_t limit);
    // Throws DataError for a limit that no vocabulary has: known before a text is read.
    static void check_limit(std::int64_t limit);
    [[nodiscard]] std::string format() const;

    [[nodiscard]] std::size_t size() const { return symbols_.size(); }
    [[nodiscard]] const std::string& symbol(TokenId id) const { return symbols_[id]; }
    // kUnknown for a word that is not there; the specials' texts give the specials.
    [[nodiscard]] TokenId index(std::string_view word) const {
        const auto found = table_.find(word);
        return found == StringTable::kNone ? kUnknown : ids_[found];
    }

private:
    void add(std::string_view word, std::int64_t count);

    std::vector<std::string> symbols_;
    std::vector<std::int64_t> counts_;
    StringTable table_;
    std::vector<TokenId> ids_;  // of table_'s entries
};

}  // namespace longbow
