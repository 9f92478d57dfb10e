// What GGUF's pre-tokenizers are in a tokenizer.json.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace longbow {

struct GgufPreTokenizer {
    const char* name;        // tokenizer.ggml.pre
    const char* normalizer;  // JSON
    const char* steps;       // JSON
    bool ignore_merges = false;
    bool begins = false;  // a BOS stands in front where the file does not say
};

// Returns null for one that is not known.
const GgufPreTokenizer* gguf_pre_tokenizer(const std::string& name);
// Returns the one of a tokenizer.json with these parts, whatever they say of offsets, or null.
const GgufPreTokenizer* gguf_pre_tokenizer_of(const nlohmann::json& normalizer, const nlohmann::json& pre_tokenizer,
                                              bool ignore_merges);
// The steps of a part, those of sequences in their place, with what concerns ids alone and all defaults filled in.
std::vector<nlohmann::json> steps_of(const nlohmann::json& part);

}  // namespace longbow
