// Writes a model of ours as a GGUF file: which architecture of llama.cpp computes what the configuration does, its
// metadata, and for each of its tensors where our elements go. It handles settings and shapes, no values, and needs no
// LibTorch; gguf_output.h makes the bytes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "longbow/foreign/gguf_output.h"
#include "longbow/foreign/hf_export.h"

namespace longbow {

struct GgufExportRequest {
    std::string architecture;  // the only one to take; empty: the first that holds the model
    std::string imported_as;  // model_type or general.architecture of what was imported, whose architecture comes first
};

struct GgufExport {
    std::string architecture;                         // general.architecture: "llama"
    GgufMetadata metadata;                            // the architecture's keys
    std::vector<ExportedTensor> tensors;              // in the order of the file
    std::map<std::string, ValueChange> changes;       // by our name
    std::map<std::string, double> constants;          // as in HfExport
    std::map<std::string, std::vector<float>> given;  // tensors that are no weights, with their elements
    std::vector<std::string> notes;                   // what else a user should know, in sentences
};

// Throws CheckpointError where no architecture holds the model, or not the one that was asked for. The message says
// which settings stand in the way, and begins with `name`.
GgufExport plan_gguf_export(const HfExportModel& model, const GgufExportRequest& request, const std::string& name);

struct GgufTokenizerIds {
    std::int64_t rows = 0;  // of the embedding: so many tokens a file has
    std::int64_t bos = 0, eos = 0;
    bool begins = false;  // a BOS stands in front of a text
};

struct GgufTokenizer {
    GgufMetadata metadata;
    std::string name;                // "gpt2, smollm"
    std::string reason;              // why the file has no tokenizer; empty: it has one
    std::vector<std::string> notes;  // in which texts its ids are others than ours, in sentences
};

// The tokenizer of a tokenizer.json as metadata. Throws CheckpointError for one that is damaged.
GgufTokenizer gguf_tokenizer(const std::string& tokenizer_json, const GgufTokenizerIds& ids);
// Metadata that say that there is none.
GgufTokenizer without_gguf_tokenizer(std::string reason);

}  // namespace longbow
