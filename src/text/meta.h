// What every kind of tokenizer shares: the small file that says which kind a folder holds, and checks.
#pragma once

#include <map>
#include <string>

#include "longbow/core/error.h"
#include "longbow/core/json.h"
#include "longbow/text/tokenizer.h"

namespace longbow {

inline const std::string kMetaFile = "tokenizer.meta.json";

// {"format": 1, "kind": kind, ...options}
std::string meta_text(const std::string& kind, const Json& options = Json::object());

// The id itself, or DataError when the vocabulary has no such token.
inline TokenId checked_id(const Tokenizer& tokenizer, TokenId id) {
    if (static_cast<std::int64_t>(id) < tokenizer.vocab_size()) return id;
    throw DataError("token id " + std::to_string(id) + " is outside the " + tokenizer.kind() + " vocabulary of " +
                    std::to_string(tokenizer.vocab_size()) + " tokens");
}

// The text of a vocabulary's file `name`, without a byte order mark. Throws DataError where it is no UTF-8. `nul`: whether its tokens may hold
// that character.
std::string_view vocabulary_text(std::string_view text, const std::string& name, bool nul);
// The same text to write: a first token that begins with the mark's character keeps it when the file is read again.
std::string vocabulary_file(std::string text);

// Files as files() gave them, `place` in front of their names in messages.
std::unique_ptr<Tokenizer> tokenizer_from_files(const std::map<std::string, std::string>& files, const std::string& place);

}  // namespace longbow
