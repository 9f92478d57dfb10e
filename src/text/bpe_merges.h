// The merges of a byte-pair encoding as a hash table, and their application to the symbols of a word. Merges are
// applied in the order of `tokenizers`: always the pair of lowest rank, and the leftmost of equal pairs.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "longbow/text/tokenizer.h"

namespace longbow {

struct BpeMerge {
    TokenId left, right, result;
};

class BpeMerges {
public:
    static constexpr std::size_t kShort = 48;  // symbols of the longest word that merge_short() takes

    // In order of rank; each pair once.
    explicit BpeMerges(const std::vector<BpeMerge>& merges);
    // Merges a word in place, and returns how many symbols are left. Short words are merged by scanning an array, long
    // ones (a line of dashes, a base64 blob) with a heap over a linked list, in O(n log n).
    std::size_t merge(std::span<TokenId> symbols) const {
        return symbols.size() <= kShort ? merge_short(symbols) : merge_long(symbols);
    }

private:
    struct Rule {
        std::uint64_t pair = kNoPair;
        std::uint32_t rank = 0;
        TokenId result = 0;
    };
    static constexpr std::uint64_t kNoPair = ~0ULL;
    static constexpr std::uint32_t kNoRank = 0xFFFFFFFF;

    [[nodiscard]] Rule find(TokenId left, TokenId right) const;
    std::size_t merge_short(std::span<TokenId> symbols) const;
    std::size_t merge_long(std::span<TokenId> symbols) const;

    std::vector<Rule> rules_;  // open-addressing hash table whose size is a power of two
};

}  // namespace longbow
