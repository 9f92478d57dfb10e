// Text files to a token store: `longbow prepare`, and the trainer's first step when the configured store is missing.
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
    DataConfig data;  // train, valid, test: files, folders, patterns; how their text is read and written
    std::filesystem::path out;
    int threads = 1;
    bool overwrite = false;
    // Told the vocabulary before any text is encoded; where it throws, nothing new is left on the disk.
    std::function<void(const Tokenizer&)> accept = {};
};

struct PreparedSplit {
    std::string name;
    std::int64_t tokens = 0, documents = 0;
    std::uint64_t raw_bytes = 0;
};

struct PrepareResult {
    bool reused = false;  // the store was there already, made from the same text with the same settings
    std::vector<PreparedSplit> splits;
    std::uint64_t encoded_bytes = 0;  // of text, by this call: less than the splits hold when it went on from an earlier one
    double seconds = 0;               // reading, encoding and writing (training the vocabulary apart)
    double tokenizer_seconds = 0;     // training or opening the vocabulary
};

// Reads, trains the tokenizer if needed, encodes with `threads` threads in bounded memory, and renames the whole store to `out`. Its bytes depend
// neither on `threads` nor on how often it was interrupted: until it is whole it grows in a folder beside `out` (".NAME.preparing"), from
// which the same request goes on after a kill, a full disk or a bad file, without encoding again what is through; another request starts anew.
// A store that is there already is kept if it is of the same text and settings; else DataError naming what differs, unless `overwrite`.
// Throws UsageError (no files), DataError (text, vocabulary), InterruptedError (SIGINT, SIGTERM) or Error (disk, permissions); the sources are
// never modified.
PrepareResult prepare_store(const PrepareRequest& request);

// Throws what prepare_store() would about files that are not there or cannot be read; writes nothing.
void check_text_files(const DataConfig& data);

// How the store differs from the one that these settings would make ("data.train: 1 files -> 2 files"), as far as settings and the number and
// sizes of files tell: the text is not read. Empty as well when the text is no longer there.
std::vector<std::string> settings_that_differ(const std::filesystem::path& store, const TokenizerConfig& tokenizer, const DataConfig& data);

}  // namespace longbow
