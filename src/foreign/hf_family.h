// Families of models on the hub. A family is one file: the values of model_type, what each key of config.json means as
// a setting of Longbow, and where in the files each of Longbow's tensors is. It registers itself; no other file knows
// it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hf_keys.h"
#include "longbow/config/config.h"
#include "longbow/foreign/pickle_tree.h"
#include "tensor_rules.h"

namespace longbow {

// What config.json says.
struct HfSettings {
    Config config;  // model and position
    std::int64_t vocab_size = 0;
    std::optional<std::int64_t> length;  // the longest input that the model was made for, where the file says it
    bool rounded = false;                // asked for: what transformers computes where it leaves the definition
    std::string definition;              // where that matters: what was taken, in words
    bool begins_each_window = false;     // as in ForeignModel
};

struct HfFamily {
    std::string name;                      // the registry's
    std::vector<std::string> model_types;  // in config.json
    std::string label;                     // "BLOOM"
    // What may stand before the tensors' names: files that were saved without the output head lack it or a part.
    std::vector<std::string> prefixes;
    std::string embedding;  // without the prefix; its place decides which prefix a folder has
    std::string head;       // the output projection's weight, never with a prefix
    bool tied = false;      // tie_word_embeddings where the file does not say
    // Reads the keys. The common ones and tie_word_embeddings have been read. Throws CheckpointError.
    void (*configure)(HfKeys& keys, HfSettings& settings) = nullptr;
    // Lists where each tensor is, except head.weight.
    void (*place)(const HfSettings& settings, TensorRules& rules) = nullptr;
};

// All families, sorted by name.
const std::vector<HfFamily>& hf_families();
bool register_hf_family(HfFamily family);

// Reads the keys of a config.json, which messages call `name`. Sets all of `settings` but what was asked for, and
// returns the family. Throws CheckpointError.
const HfFamily& read_hf_settings(const Json& json, const std::string& name, HfSettings& settings);

// Stands at namespace scope in the family's file. The linker keeps it because the room is linked whole.
#define LONGBOW_REGISTER_HF_FAMILY(...) \
    static const bool longbow_hf_family_registered = ::longbow::register_hf_family(__VA_ARGS__)

// --- What several families share.

// Limits of sizes: those of the configuration (config/fields.cpp).
inline constexpr std::int64_t kMostLayers = 1024, kMostHeads = 1024, kWidest = 65536, kWidestFfn = 1048576,
                              kMostWords = 4194304, kLongestInput = std::int64_t{1} << 30;

// Sets layers, dim, heads and the settings that all imported models share: no scale on the embedding, the first weights
// of GPT-2's kind.
void set_sizes(HfKeys& keys, HfSettings& settings, HfKeys::Names layers, HfKeys::Names dim, HfKeys::Names heads);
// Sets kv_heads and head_dim where they differ from what is implied, and checks that they fit.
void set_heads(HfKeys& keys, HfSettings& settings, std::optional<std::int64_t> kv_heads,
               std::optional<std::int64_t> head_dim);
void set_dropout(HfKeys& keys, HfSettings& settings, HfKeys::Names hidden, HfKeys::Names attention,
                 HfKeys::Names others);
// Longbow's name of an activation without a gate, and of one with a gate. Throws CheckpointError for one that Longbow
// does not have.
Activation plain_activation(HfKeys& keys, HfKeys::Names names, const std::string& otherwise);
Activation gated_activation(HfKeys& keys, HfKeys::Names names, const std::string& otherwise);
void set_linear_biases(ModelConfig& model, bool qkv, bool out, bool ffn, bool norm);

}  // namespace longbow
