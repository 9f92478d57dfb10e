// Writes tokenizers as the files of transformers: tokenizer.json (the format of `tokenizers`) and
// tokenizer_config.json. What a kind's pipeline is as such a file is in the kind's own source
// (TokenizerKind::to_hf).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "longbow/core/json.h"
#include "longbow/text/tokenizer.h"

namespace longbow {

struct HfTokenizerFiles {
    std::map<std::string, std::string> files;  // by name; without tokenizer.json where no such pipeline gives the ids
    std::string reason;                        // why there is no tokenizer.json
    std::vector<std::string> notes;            // in which texts its ids are others than ours, in sentences
};

// Returns the files of a tokenizer whose texts have at most `length` tokens (model_max_length).
HfTokenizerFiles hf_tokenizer_files(const Tokenizer& tokenizer, std::int64_t length);

// --- For kinds.

// A special token as tokenizer.json lists it among added_tokens.
Json hf_added_token(TokenId id, const std::string& content);
// The parts that all such files have, with the kind's own.
struct HfPipeline {
    Json added_tokens = Json::array();
    Json normalizer = nullptr, pre_tokenizer = nullptr, post_processor = nullptr, decoder = nullptr, model = nullptr;
};
std::string hf_tokenizer_json(const HfPipeline& pipeline);

}  // namespace longbow
