// Learns byte-level BPE merges from word counts.
#pragma once

#include <cstdint>

#include "bpe_model.h"
#include "word_counts.h"

namespace longbow {

// Throws DataError for a size that no vocabulary has: known before a text is read.
void check_bpe_size(std::int64_t vocab_size);

// A model of exactly `vocab_size` tokens: 256 bytes, merges, and <|endoftext|> as the last id. Throws DataError when vocab_size is
// below 257 or the text gives no more merges.
BpeModel train_bpe(const WordCounts& counts, std::int64_t vocab_size);

}  // namespace longbow
