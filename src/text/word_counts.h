// Counts how often each word occurs in a set of text files. Vocabularies are made from these counts.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "longbow/text/tokenizer_kind.h"
#include "string_table.h"

namespace longbow {

class WordCounts {
public:
    void add(std::string_view word, std::int64_t count = 1) {
        const auto index = words_.insert(word);
        if (index == counts_.size()) counts_.push_back(0);
        counts_[index] += count;
    }
    void merge(const WordCounts& other);
    [[nodiscard]] std::size_t size() const { return counts_.size(); }
    // Returns the words ordered by bytes, which for UTF-8 is the order of code points.
    [[nodiscard]] std::vector<std::pair<std::string_view, std::int64_t>> sorted() const;

private:
    StringTable words_;
    std::vector<std::int64_t> counts_;
};

// Says where a text may be cut so that its parts have the same words (Tokenizer::safe_split), and counts its words.
struct WordRule {
    std::function<std::size_t(std::string_view)> safe_split;
    std::function<void(std::string_view, WordCounts&)> count;
};

// Counts the words of the files on `threads` threads; the sums do not depend on their number. `jsonl_key` is the key of
// the text in JSON lines. Memory is used for the distinct words, once a thread, and a few pieces of 4 MiB.
WordCounts count_words(const std::vector<std::string>& files, const std::string& jsonl_key, int threads,
                       const WordRule& rule);
// The same for a vocabulary. Throws DataError for text without words.
WordCounts count_words(const TrainingText& text, const WordRule& rule);

}  // namespace longbow
