// Kinds of tokenizers. Each is one file of this room, NAME_tokenizer.cpp, that registers itself
// (LONGBOW_REGISTER_TOKENIZER) with its options and checks; nothing else names it but its test and
// docs/configuration.md.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/config/options.h"
#include "longbow/core/json.h"
#include "longbow/text/hf_files.h"
#include "longbow/text/tokenizer.h"

namespace longbow {

// What a vocabulary is learnt from. The result does not depend on `threads`.
struct TrainingText {
    const std::vector<std::string>& files;
    const std::string& jsonl_key;  // where files of JSON lines have their text
    int threads = 1;
};

// A tokenizer as files() gave it, read from a store or a checkpoint.
struct StoredTokenizer {
    const std::map<std::string, std::string>& files;
    std::string place;  // "FOLDER/", in front of the files' names in messages
    Json meta;          // of tokenizer.meta.json: an object

    // Contents of a file. Throws DataError for one that is missing.
    [[nodiscard]] const std::string& file(const std::string& name) const;
};

// The members have defaults, so that a kind writes only those that it needs, under any compiler's warnings.
struct TokenizerKind {
    std::string name{};
    std::string help{};       // some words for the help of tokenizer.kind: "byte level"
    std::string file_help{};  // what tokenizer.file may be: "dict.txt"
    std::vector<OptionSpec>
        options{};  // keys of its own, which no other kind has; open() and learn() find them in config.options
    std::vector<std::string> files{};  // names that files() gives, tokenizer.meta.json left out
    // Whether it can serve a configuration that has text to read. Empty: always.
    std::function<std::optional<Objection>(const Config&)> check{};
    // From the user's own file, config.file. Throws DataError.
    std::function<std::unique_ptr<Tokenizer>(const TokenizerConfig&)> open{};
    // Throws DataError for a text that gives no such vocabulary, ConfigError where none is learnt here.
    std::function<std::unique_ptr<Tokenizer>(const TokenizerConfig&, const TrainingText&)> learn{};
    // The same tokenizer from its own files. Throws DataError.
    std::function<std::unique_ptr<Tokenizer>(const StoredTokenizer&)> load{};
    // The same as files of transformers (hf_files.h; tokenizer_config.json is added). Empty: there are none, or, where
    // files() has a tokenizer.json, that file as it is.
    std::function<HfTokenizerFiles(const StoredTokenizer&)> to_hf{};
};

// The registered kinds, by name.
const std::vector<TokenizerKind>& tokenizer_kinds();
// Throws ConfigError for a name, or an option's key, that is taken.
bool register_tokenizer(TokenizerKind kind);

// The kind's own options with their values, complete: beside the size, what a learnt vocabulary depends on. Throws
// ConfigError for a kind that nobody has registered.
Json learning_options(const TokenizerConfig& config);

// At namespace scope in a kind's .cpp (the room is linked whole, so that no registration is dropped).
#define LONGBOW_REGISTER_TOKENIZER(...) \
    static const bool longbow_tokenizer_registered = ::longbow::register_tokenizer(__VA_ARGS__)

}  // namespace longbow
