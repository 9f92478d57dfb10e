// What all kinds of tokenizers share: the small file that says which kind a folder holds, and checks of ids and
// vocabulary files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "longbow/core/error.h"
#include "longbow/core/json.h"
#include "longbow/text/tokenizer.h"

namespace longbow {

inline const std::string kMetaFile = "tokenizer.meta.json";
inline const std::string kNothingToLearn = "the training text holds no words: nothing to learn a vocabulary from";

// Returns the text of that file: {"format": 1, "kind": kind, ...options}.
std::string meta_text(const std::string& kind, const Json& options = Json::object());

// Returns the id. Throws DataError when the vocabulary has no such token.
inline TokenId checked_id(const Tokenizer& tokenizer, TokenId id) {
    if (static_cast<std::int64_t>(id) < tokenizer.vocab_size()) return id;
    throw DataError("token id " + std::to_string(id) + " is outside the " + tokenizer.kind() + " vocabulary of " +
                    std::to_string(tokenizer.vocab_size()) + " tokens");
}

// Returns the text of the vocabulary file `name` without a byte order mark. Throws DataError where it is not UTF-8, and
// for a NUL unless `nul` allows tokens to contain one.
std::string_view vocabulary_text(std::string_view text, const std::string& name, bool nul);
// Returns the text to write. If the first token begins with U+FEFF, it adds a byte order mark, so that reading does not
// remove the token's.
std::string vocabulary_file(std::string text);

// A vocabulary's file. Throws DataError.
std::string read_vocabulary(const std::filesystem::path& path);

// Tokens of a vocabulary that is learnt to a size: tokenizer.vocab_size, or 2,048.
std::int64_t learnt_size(const TokenizerConfig& config);

}  // namespace longbow
