// Tokenizers: text to ids and back. Thread-safe once made.
//
// In every kind the text of a special token ("<|endoftext|>", "[SEP]", "</s>") in a document is text, not the token; only word, as
// fairseq does, reads <s> <pad> </s> <unk> as its specials. Decoding prints a special by its name, word's </s> as a newline.
// Character classes: bpe as of Unicode 16.0, wordpiece as `tokenizers` 0.23 has them (src/text/bert_characters.cpp).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "longbow/config/config.h"

namespace longbow {

using TokenId = std::uint32_t;

class Tokenizer {
public:
    virtual ~Tokenizer() = default;

    [[nodiscard]] virtual std::string kind() const = 0;
    [[nodiscard]] virtual std::int64_t vocab_size() const = 0;
    // The id that starts the stream and ends each document (word: each line's </s>; bpe: <|endoftext|>; wordpiece: [SEP];
    // sentencepiece: </s>).
    [[nodiscard]] virtual TokenId boundary() const = 0;
    // word: true, the boundary ends each line, and encode() has put it there. Others: the caller ends each document.
    [[nodiscard]] virtual bool boundary_per_line() const { return false; }

    // Appends the ids of `text` (valid UTF-8; a caller may cut a document only where safe_split() says).
    virtual void encode(std::string_view text, std::vector<TokenId>& ids) const = 0;
    [[nodiscard]] virtual std::string decode(const std::vector<TokenId>& ids) const = 0;
    // One token as a person reads it ("Ġthe", "##ing").
    [[nodiscard]] virtual std::string token_text(TokenId id) const = 0;

    // The largest prefix length (bytes) of `text`, at most text.size(), at which the text may be cut without changing the ids of
    // either part; 0 when there is none. Lets prepare stream documents of any size in bounded memory.
    [[nodiscard]] virtual std::size_t safe_split(std::string_view text) const = 0;

    // File name -> contents: what a checkpoint and a store carry; load_tokenizer() reads them back.
    [[nodiscard]] virtual std::map<std::string, std::string> files() const = 0;
    // Hash of kind and files: equal fingerprints mean equal ids.
    [[nodiscard]] std::string fingerprint() const;
};

// From a folder that holds tokenizer.json's neighbour files as files() gave them (a store, a checkpoint): reads
// "tokenizer.meta.json" {"kind": ..., options} and the kind's own files. Throws DataError.
// Every name that save_tokenizer() gives a file.
const std::vector<std::string>& tokenizer_file_names();
std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& folder);
// Writes files() there.
void save_tokenizer(const Tokenizer& tokenizer, const std::filesystem::path& folder);

// From the user's own files (config.file set): fairseq dict.txt, GPT-2 vocab.json+merges.txt, BERT vocab.txt, .model.
std::unique_ptr<Tokenizer> open_tokenizer(const TokenizerConfig& config);

// Learns a vocabulary from text files (config.file empty): word, bpe, sentencepiece. Files may be compressed. vocab_size counts every
// token, bytes and specials included; 0 is 2,048 for bpe and sentencepiece, and every word for word. Files of JSON lines (json_lines.h) have
// their text under `jsonl_key`. bpe learns what `tokenizers`'
// BpeTrainer learns from the same documents as whole strings; its <|endoftext|> is the last id. `threads` as given;
// the result does not depend on it. Memory bounded by distinct words, not by text.
std::unique_ptr<Tokenizer> train_tokenizer(const TokenizerConfig& config, const std::vector<std::string>& files, int threads,
                                           const std::string& jsonl_key = "text");

}  // namespace longbow
