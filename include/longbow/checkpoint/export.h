// Exports checkpoints into folders of transformers and files of llama.cpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "longbow/core/dtype.h"
#include "longbow/foreign/gguf_output.h"

namespace longbow {

struct HfExportRequest {
    std::filesystem::path checkpoint;  // a whole one
    std::filesystem::path out;         // the folder to make; nothing may be there
    std::optional<DType> dtype;        // of the weights; without it they keep the checkpoint's
    bool custom_code = false;          // our names and a small class of our own, whatever the model
};

struct HfExportReport {
    std::string class_name;    // "LlamaForCausalLM"
    bool as_imported = false;  // names, types and settings are those of the folder that was imported
    std::int64_t parameters = 0, tensors = 0;
    std::string types;               // of the weights: "F32"
    std::vector<std::string> files;  // names, sorted
    std::vector<std::string> notes;  // what differs from the checkpoint, in sentences
};

// Writes config.json, model.safetensors and, where they can be, the tokenizer's files. The weights of an imported model
// go back into the tensors that they came from, bit by bit; others into the class of transformers that computes exactly
// what the configuration does (foreign/hf_export.h). The folder appears when it is complete. Throws CheckpointError
// (damage; a model that no class holds: the message names the settings), UsageError (something is at `out`), Error (the
// folder cannot be written).
HfExportReport export_hf(const HfExportRequest& request);

struct GgufFileRequest {
    std::filesystem::path checkpoint;    // a whole one
    std::filesystem::path out;           // the file to make; no file may be there
    std::optional<GgufWeights> weights;  // of matrices; without it the checkpoint's type
    std::string architecture;            // general.architecture; empty: the first that holds the model
    std::string name;                    // general.name, where the checkpoint came without one
};

struct GgufFileReport {
    std::string architecture;  // "llama"
    std::string tokenizer;     // "gpt2, smollm", "as it was imported"; empty: there is none
    std::int64_t parameters = 0, tensors = 0;
    std::uint64_t bytes = 0;         // of the file
    std::string types;               // of the tensors: "F16, F32"
    std::vector<std::string> notes;  // what differs from the checkpoint, in sentences
};

// Writes a GGUF file of the architecture of llama.cpp that computes what the configuration does
// (foreign/gguf_export.h), tensor by tensor. The file appears when it is complete; a device or pipe is written into.
// Throws CheckpointError (damage; a model that no architecture holds: the message names the settings; a value that the
// type cannot hold), UsageError (a file is at `out`), Error (the file cannot be written, or a signal has come).
GgufFileReport export_gguf(const GgufFileRequest& request);

}  // namespace longbow
