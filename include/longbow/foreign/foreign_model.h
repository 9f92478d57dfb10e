// Reads a public model's files as a model of Longbow: a configuration, and for each of Longbow's tensors the place of
// its elements. It reads settings and shapes, no values, and needs no LibTorch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/foreign/placed_tensor.h"

namespace longbow {

// A tensor of the files that is another one again: an output projection that is the embedding.
struct RepeatedTensor {
    std::string source;   // its name in the files
    std::string same_as;  // the name in the files of the one that was taken
};

struct ForeignModel {
    std::string name;   // of the folder or file, for messages
    std::string type;   // model_type or general.architecture: "gpt_neox"
    std::string label;  // of the family: "GPT-NeoX, Pythia"
    Config config;      // model, position and train.length are set; the rest has its defaults
    std::int64_t vocab_size = 0;
    bool length_known = false;          // else train.length is 0
    std::string definition;             // where programs differ in what the model computes: what was taken; else empty
    std::vector<PlacedTensor> tensors;  // every tensor of the model, each once
    bool begins_each_window = false;    // without a BOS in each window the model is useless (Gemma)
    // For an export into the same form:
    std::string format;                    // "safetensors", "torch", "gguf"
    std::string prefix;                    // what stands before the tensors' names
    std::vector<RepeatedTensor> repeated;  // present though the model has them already
    std::vector<std::string> buffers;      // present, and no weights (masks, tables)
};

struct ForeignRequest {
    std::filesystem::path path;  // a folder with config.json, or a GGUF file
    // Where transformers leaves a model's definition (Falcon's ALiBi in bfloat16, MPT's slopes): what it computes.
    bool rounded = false;
    std::optional<std::int64_t> train_length;  // instead of what the files say
};

// Throws CheckpointError that names the file and the key or tensor: an unknown family or key, a part that Longbow does
// not have, a tensor that is missing, left over, not of floating-point numbers or of another shape, tied tensors that
// differ.
ForeignModel read_hf_model(const ForeignRequest& request);
// The same of a GGUF file.
ForeignModel read_gguf_model(const ForeignRequest& request);

// Returns the file's tokenizer as the text of a tokenizer.json. Throws CheckpointError for one that is not known.
std::string read_gguf_tokenizer(const std::filesystem::path& path);

// The model types that read_hf_model() knows.
std::vector<std::string> hf_model_types();
// The architectures that read_gguf_model() knows.
std::vector<std::string> gguf_architectures();

}  // namespace longbow
