// Tokenizers: text to ids and back. Thread-safe once made. tokenizer_kind.h says how to add a kind.
//
// The text of a special token ("<|endoftext|>", "[SEP]", "</s>") in a document is encoded as text, not as the token.
// Only word, as fairseq does, reads <s> <pad> </s> <unk> as its specials, and hf, as transformers does, those of its
// file (unless tokenizer.specials is text). Decoding prints a special token by its name, and word's </s> as a newline.
// Character classes are those of Unicode 16.0 for bpe, and those of `tokenizers` 0.23 for wordpiece
// (src/text/bert_characters.cpp) and hf (src/text/hf/characters.cpp).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "longbow/config/config.h"

namespace longbow {

using TokenId = std::uint32_t;

class Tokenizer {
public:
    virtual ~Tokenizer() = default;

    // Returns the value of tokenizer.kind: "word", "bpe", "wordpiece", "sentencepiece" or "hf".
    [[nodiscard]] virtual std::string kind() const = 0;
    [[nodiscard]] virtual std::int64_t vocab_size() const = 0;
    // Returns the id that starts the stream and ends each document (word: </s>, at each line's end; bpe: <|endoftext|>;
    // wordpiece: [SEP]; sentencepiece: </s>; hf: tokenizer.boundary).
    [[nodiscard]] virtual TokenId boundary() const = 0;
    // Returns true if the boundary ends each line and encode() puts it there (word). For the other kinds the caller
    // appends it to each document.
    [[nodiscard]] virtual bool boundary_per_line() const { return false; }
    // Return what belongs around a whole text that is not cut out of a stream: hf's post-processor (Llama: <s> in
    // front). encode() leaves it out.
    [[nodiscard]] virtual std::vector<TokenId> special_prefix() const { return {}; }
    [[nodiscard]] virtual std::vector<TokenId> special_suffix() const { return {}; }
    // Returns the token with this text, as token_text() gives it. Known to hf alone.
    [[nodiscard]] virtual std::optional<TokenId> find_token(std::string_view /*text*/) const { return std::nullopt; }
    // Whether a NUL of the text has an id (wordpiece, as BERT, leaves it out).
    [[nodiscard]] virtual bool keeps_nul() const { return true; }

    // Appends the ids of `text`, which must be valid UTF-8. A document may be encoded in parts only if it is cut where
    // safe_split() allows.
    virtual void encode(std::string_view text, std::vector<TokenId>& ids) const = 0;
    [[nodiscard]] virtual std::string decode(const std::vector<TokenId>& ids) const = 0;
    // Returns one token as a person reads it ("Ġthe", "##ing").
    [[nodiscard]] virtual std::string token_text(TokenId id) const = 0;

    // Returns the largest length in bytes of a prefix of `text` at which the text may be cut without changing the ids
    // of either part; 0 when there is none. With it prepare streams documents of any size in bounded memory.
    [[nodiscard]] virtual std::size_t safe_split(std::string_view text) const = 0;

    // Returns the files, by name, that a checkpoint and a store carry. load_tokenizer() reads them back.
    [[nodiscard]] virtual std::map<std::string, std::string> files() const = 0;
    // Returns a hash of kind and files. Equal fingerprints mean equal ids.
    [[nodiscard]] std::string fingerprint() const;
};

// Every name that save_tokenizer() gives a file.
const std::vector<std::string>& tokenizer_file_names();
// From a folder that holds a tokenizer's files as files() gave them (a store, a checkpoint): reads
// "tokenizer.meta.json"
// {"kind": ..., options} and the kind's own files. Throws DataError.
std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& folder);
// Writes the tokenizer's files into the folder, which is created if necessary. Throws Error.
void save_tokenizer(const Tokenizer& tokenizer, const std::filesystem::path& folder);

// From the user's own file (config.file set), of which each kind says what it may be. Throws DataError; ConfigError for
// a kind that nobody has registered.
std::unique_ptr<Tokenizer> open_tokenizer(const TokenizerConfig& config);

// Learns a vocabulary from text files (config.file empty). Files may be compressed. vocab_size counts every token,
// bytes and specials included; 0 is the kind's default. Files of JSON lines (json_lines.h) have their text under
// `jsonl_key`. `threads` as given; the result does not depend on it. Memory bounded by distinct words, not by text.
// Throws DataError; ConfigError for a kind that learns none or that nobody has registered.
std::unique_ptr<Tokenizer> train_tokenizer(const TokenizerConfig& config, const std::vector<std::string>& files,
                                           int threads, const std::string& jsonl_key = "text");

}  // namespace longbow
