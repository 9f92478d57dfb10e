// Trains byte-level BPE merges on word counts.
#pragma once

#include <cstdint>

#include "bpe_model.h"
#include "word_counts.h"

namespace longbow {

// Throws DataError for a size that no vocabulary can have. It needs no text and can be called before any is read.
void check_bpe_size(std::int64_t vocab_size);

// Returns a model of exactly `vocab_size` tokens: 256 bytes, merges, and <|endoftext|> as the last id. Throws DataError
// when vocab_size is below 257 or the text gives too few merges.
BpeModel train_bpe(const WordCounts& counts, std::int64_t vocab_size);

}  // namespace longbow
