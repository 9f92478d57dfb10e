// Encodes words of bytes. The ids of recent words are cached, because a few words make most of a text.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "bpe_merges.h"
#include "bpe_model.h"
#include "word_cache.h"

namespace longbow {

class BpeEncoder {
public:
    explicit BpeEncoder(const BpeModel& model) : byte_ids_(model.byte_ids), merges_(model.merges) {}
    // Appends the ids of one word of GPT-2's pattern.
    void encode(std::string_view word, WordCache& cache, std::vector<TokenId>& ids) const;

private:
    void merge(std::string_view word, std::vector<TokenId>& ids) const;

    std::array<TokenId, 256> byte_ids_;
    BpeMerges merges_;
};

}  // namespace longbow
