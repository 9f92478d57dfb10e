// A byte-level byte-pair encoding as data: tokens, merges in order of rank, and the two files in which GPT-2 stores
// them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bpe_merges.h"
#include "longbow/text/tokenizer.h"

namespace longbow {

inline constexpr std::string_view kEndOfText = "<|endoftext|>";

struct BpeModel {
    std::vector<std::string> names;     // by id, as in vocab.json ("Ġthe")
    std::vector<std::string> bytes;     // by id: the bytes that the token stands for (" the")
    std::vector<BpeMerge> merges;       // in order of rank
    std::array<TokenId, 256> byte_ids;  // by byte: the token of this byte alone
    TokenId boundary;
};

// Returns the printable character (in UTF-8) by which GPT-2 names a byte (openai/gpt-2, src/encoder.py,
// bytes_to_unicode).
const std::string& byte_name(unsigned char byte);
std::string bytes_to_name(std::string_view bytes);
// Returns the bytes that a name stands for, or nothing where it does not consist of byte names (an added token).
std::optional<std::string> name_to_bytes(std::string_view name);

// Parses the contents of vocab.json and merges.txt. The names stand for the files in messages. The vocabulary must have
// the ids 0..n-1 once each, the 256 single bytes, and <|endoftext|> (or else </s>) as the boundary. Throws DataError.
BpeModel parse_bpe(std::string_view vocab_json, const std::string& vocab_name, std::string_view merges_text,
                   const std::string& merges_name);
std::string format_vocab_json(const BpeModel& model);
std::string format_merges(const BpeModel& model);

}  // namespace longbow
