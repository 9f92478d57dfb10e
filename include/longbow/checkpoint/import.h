// Checkpoints of other programs, written anew as our own.
#pragma once

#include <filesystem>
#include <string>

#include "longbow/config/config.h"

namespace longbow {

struct ImportRequest {
    std::filesystem::path checkpoint;  // fairseq's .pt
    std::filesystem::path dictionary;  // its dict.txt
    std::string position;              // the method that the model was trained with: the file does not say
    std::filesystem::path out;         // run directory to make
};

struct ImportReport {
    Config config;
    std::filesystem::path checkpoint;  // OUT/checkpoints/step-N
    std::string architecture, weights_dtype;
    std::int64_t parameters = 0, vocab_size = 0, updates = 0;
};

// A language model of fairseq's transformer_lm family: reads the file without executing anything in it, checks it against its dictionary,
// and saves a checkpoint with its tokenizer. Half-precision weights are widened exactly. Throws CheckpointError, DataError (the dictionary),
// UsageError (`position`, a place that is taken); nothing is written then.
ImportReport import_fairseq(const ImportRequest& request);

}  // namespace longbow
