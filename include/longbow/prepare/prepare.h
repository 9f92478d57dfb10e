// Makes a token store from text files: for `longbow prepare`, and for the trainer when the configured store does not
// exist.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/text/tokenizer.h"

namespace longbow {

struct PrepareRequest {
    TokenizerConfig tokenizer;
    DataConfig data;  // train, valid, test (files, folders, patterns), and how their text is read
    std::filesystem::path out;
    int threads = 1;
    bool overwrite = false;
    // Called with the vocabulary before any text is encoded. If it throws, nothing new is left on the disk.
    std::function<void(const Tokenizer&)> accept = {};
};

struct PreparedSplit {
    std::string name;
    std::int64_t tokens = 0, documents = 0;
    std::uint64_t raw_bytes = 0;
};

struct PrepareResult {
    bool reused = false;  // an existing store of the same text and settings was kept
    std::vector<PreparedSplit> splits;
    std::uint64_t encoded_bytes = 0;  // text that this call encoded; less than the store's after resuming
    double seconds = 0;               // reading, encoding and writing, without training the vocabulary
    double tokenizer_seconds = 0;     // training or opening the vocabulary
};

// Reads the text, trains the tokenizer if needed, encodes with `threads` threads in bounded memory, and renames the
// finished store to `out`. The store's bytes depend neither on `threads` nor on interruptions.
//
// Until it is finished the store grows in a folder beside `out` (".NAME.preparing"). After a kill, a full disk or a bad
// file, the same request resumes there without encoding finished text again; a different request starts anew. An
// existing store of the same text and settings is kept; any other is replaced with `overwrite` and otherwise a
// DataError that names the differences. The sources are never modified.
//
// Throws UsageError (no files), DataError (text, vocabulary), InterruptedError (SIGINT, SIGTERM) or Error (disk,
// permissions).
PrepareResult prepare_store(const PrepareRequest& request);

// Throws what prepare_store() would throw about files that are missing or cannot be read. Writes nothing.
void check_text_files(const DataConfig& data);

// Returns how the store differs from the one that these settings would make ("data.train: 1 files -> 2 files"). It
// compares settings and the number and sizes of files without reading the text, and returns nothing when the text no
// longer exists.
std::vector<std::string> settings_that_differ(const std::filesystem::path& store, const TokenizerConfig& tokenizer,
                                              const DataConfig& data);

}  // namespace longbow
