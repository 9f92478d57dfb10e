// Learns byte-level BPE merges from word counts.
#pragma once

#include <cstdint>

#include "bpe_model.h"
#include "word_counts.h"

namespace longbow {

// A model of exactly `vocab_size` tokens: 256 bytes, merges, and <|endoftext|> as the last id. Throws DataError when vocab_size is
// below 257 or the text gives no more merges.
BpeModel train_bpe(const WordCounts& counts, std::int64_t vocab_size);

}  // namespace longbow
