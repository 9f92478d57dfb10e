// Folders of public models from before tokenizer.json: OPT has vocab.json with merges.txt, the first Llamas have a
// tokenizer.model.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace longbow {

// Returns a tokenizer.json of a folder's tokenizer.model (its ids are sentencepiece's for the whole text) or, where it
// has none, of its vocab.json and merges.txt (its ids are those of transformers). Special tokens, and whether a BOS
// begins a text, are those of tokenizer_config.json, special_tokens_map.json and added_tokens.json; without them a
// tokenizer.model has a BOS, as Llama's class has. nullopt where the kinds "sentencepiece" and "bpe" say what the files
// mean: for GPT-2's two files alone, and for a tokenizer.model that is not of byte pairs or that changes texts. Throws
// DataError for damaged files.
std::optional<std::string> old_tokenizer_json(const std::filesystem::path& folder);

}  // namespace longbow
