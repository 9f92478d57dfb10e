// Encodes words by merging pairs in the order of their ranks. The ids of recent words are cached, because a few words
// make most of a text.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "bpe_model.h"
#include "word_cache.h"

namespace longbow {

class BpeEncoder {
public:
    explicit BpeEncoder(const BpeModel& model);
    // Appends the ids of one word of GPT-2's pattern.
    void encode(std::string_view word, WordCache& cache, std::vector<TokenId>& ids) const;

private:
    struct Rule {
        std::uint64_t pair = kNoPair;
        std::uint32_t rank = 0;
        TokenId result = 0;
    };
    static constexpr std::uint64_t kNoPair = ~0ULL;
    static constexpr std::uint32_t kNoRank = 0xFFFFFFFF;

    [[nodiscard]] Rule find(TokenId left, TokenId right) const;
    void merge_short(std::string_view word, std::vector<TokenId>& ids) const;
    void merge_long(std::string_view word, std::vector<TokenId>& ids) const;

    std::array<TokenId, 256> byte_ids_;
    std::vector<Rule> rules_;  // open-addressing hash table whose size is a power of two
};

}  // namespace longbow
