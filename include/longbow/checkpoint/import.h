// Imports checkpoints of other programs and saves them in our own format.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/foreign/foreign_model.h"

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
    std::string definition;  // ForeignModel::definition
};

// Imports a language model of fairseq's transformer_lm family: reads the file without executing anything in it, checks
// it against its dictionary, and saves a checkpoint with its tokenizer. Half-precision weights are widened exactly.
// Throws CheckpointError, DataError (the dictionary), or UsageError (`position`, or `out` is not empty); nothing is
// written in these cases.
ImportReport import_fairseq(const ImportRequest& request);

inline constexpr std::int64_t kLongestTrainLength = 1 << 20;  // that an import may be told

struct PublicImportRequest {
    ForeignRequest source;
    std::optional<DType> dtype;  // of the weights on disk; without it they keep the type that their file has
    // A tokenizer.json, a .model, or a folder with one; empty: the model's own.
    std::filesystem::path tokenizer;
    // The id of the token that ends documents, for an import without a tokenizer, which scores given ids alone.
    std::optional<std::int64_t> ids_boundary{};
    std::filesystem::path out;  // the run directory to make
};

// Imports a public model: a folder with config.json, weights and a tokenizer. Tensors are converted one at a time, from
// the mapped files into the checkpoint's, and nothing is folded into another. The checkpoint also carries
// source.json, which says where each tensor came from, and the folder's settings as source.NAME. The run directory
// appears when it is complete; what a killed import of the same `out` left is removed. Throws CheckpointError,
// DataError (the tokenizer), UsageError (`out` is not empty), or Error (too little space, a stop signal); nothing is
// written in these cases. Fail points: import.in_weights (before each tensor), import.before_rename,
// import.after_rename.
ImportReport import_hf(const PublicImportRequest& request);
// The same of a GGUF file, which has its settings and its tokenizer in itself. Quantized weights become `dtype`, or
// fp32 without it.
ImportReport import_gguf(const PublicImportRequest& request);

// Returns the files that an import of this folder or GGUF file reads, as far as they are there, in a fixed order.
// Throws CheckpointError if there are no weights.
std::vector<std::filesystem::path> imported_files(const std::filesystem::path& model);

}  // namespace longbow
