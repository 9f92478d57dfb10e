// Reads a tokenizer.json. Its vocabulary and merges, which are nearly all of it, become plain lists; the rest is JSON.
// The file may come from a stranger: depth and the number of an object's keys are bounded, and memory follows its size.
#pragma once

#include <string>
#include <string_view>

#include "bpe.h"
#include "longbow/core/json.h"

namespace longbow::hf {

struct TokenizerJson {
    Json rest;  // an object: the file without model.vocab and model.merges
    bool has_vocab = false, has_merges = false;
    BpeVocabulary vocabulary;
};

// `name` stands for the file in messages. Throws DataError.
TokenizerJson read_tokenizer_json(std::string_view text, const std::string& name);

}  // namespace longbow::hf
