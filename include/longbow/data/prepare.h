// Text files to a token store: `longbow prepare`, and the trainer's first step when the configured store is missing.
#pragma once

#include <filesystem>

#include "longbow/config/config.h"

namespace longbow {

struct PrepareRequest {
    TokenizerConfig tokenizer;
    DataConfig data;                 // train, valid, test files; documents
    std::filesystem::path out;
    int threads = 1;
    bool overwrite = false;
};

// Reads, trains the tokenizer if needed, encodes with `threads` threads in bounded memory, writes beside `out` and renames.
// The store's bytes do not depend on `threads`. Throws DataError / Error (disk, permissions); leaves no half store.
void prepare_store(const PrepareRequest& request);

}  // namespace longbow
