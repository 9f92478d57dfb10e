// Imports checkpoints of other programs and saves them in our own format.
#pragma once

#include <filesystem>
#include <string>

#include "longbow/config/config.h"

namespace longbow {

struct ImportRequest {
    std::filesystem::path checkpoint;  // fairseq's .pt
    std::filesystem::path dictionary;  // its dict.txt
    // The position method that the model was trained with, which the file does not say.
    std::string position;
    std::filesystem::path out;  // the run directory to make
};

struct ImportReport {
    Config config;
    std::filesystem::path checkpoint;  // OUT/checkpoints/step-N
    std::string architecture, weights_dtype;
    std::int64_t parameters = 0, vocab_size = 0, updates = 0;
};

// Imports a language model of fairseq's transformer_lm family: reads the file without executing anything in it, checks
// it against its dictionary, and saves a checkpoint with its tokenizer. Half-precision weights are widened exactly.
// Throws CheckpointError, DataError (the dictionary), or UsageError (`position`, or `out` is not empty); nothing is
// written in these cases.
ImportReport import_fairseq(const ImportRequest& request);

}  // namespace longbow
