// How often each word occurs in a set of text files: what every vocabulary is made from.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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
    // Ordered by bytes, which for UTF-8 is the order of code points.
    [[nodiscard]] std::vector<std::pair<std::string_view, std::int64_t>> sorted() const;

private:
    StringTable words_;
    std::vector<std::int64_t> counts_;
};

// Where a piece of text may be cut so that its parts give the same words (Tokenizer::safe_split), and what its words are.
struct WordRule {
    std::function<std::size_t(std::string_view)> safe_split;
    std::function<void(std::string_view, WordCounts&)> count;
};

// Reads the files piece by piece and counts on `threads` threads; the sums do not depend on how many. `jsonl_key`: where the text stands
// in files of JSON lines. Memory: the distinct words, once a thread, and a few pieces of 4 MiB.
WordCounts count_words(const std::vector<std::string>& files, const std::string& jsonl_key, int threads, const WordRule& rule);

}  // namespace longbow
