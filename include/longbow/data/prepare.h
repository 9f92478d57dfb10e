// Text files to a token store: `longbow prepare`, and the trainer's first step when the configured store is missing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "longbow/config/config.h"

namespace longbow {

struct PrepareRequest {
    TokenizerConfig tokenizer;
    DataConfig data;                 // train, valid, test files; documents
    std::filesystem::path out;
    int threads = 1;
    bool overwrite = false;
};

struct PreparedSplit {
    std::string name;
    std::int64_t tokens = 0, documents = 0;
    std::uint64_t raw_bytes = 0;
};

struct PrepareResult {
    bool reused = false;             // the store was there already, made from the same text with the same settings
    std::vector<PreparedSplit> splits;
    double seconds = 0;              // reading, encoding and writing (training the vocabulary apart)
    double tokenizer_seconds = 0;    // training or opening the vocabulary
};

// Reads, trains the tokenizer if needed, encodes with `threads` threads in bounded memory, writes beside `out` and renames.
// The store's bytes do not depend on `threads`. A store that is there already is kept if it is of the same text and settings; else
// DataError naming what differs, unless `overwrite`. Throws UsageError (no files), DataError (text, vocabulary) or Error (disk,
// permissions, stopped); the sources are never modified, and whatever is thrown, no half store is left.
PrepareResult prepare_store(const PrepareRequest& request);

}  // namespace longbow
