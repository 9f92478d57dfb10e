// Byte-level byte-pair encoding as data: tokens, merges in order of rank, and the two files that GPT-2 keeps them in.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "longbow/text/tokenizer.h"

namespace longbow {

inline constexpr std::string_view kEndOfText = "<|endoftext|>";

struct BpeMerge {
    TokenId left, right, result;
};

struct BpeModel {
    std::vector<std::string> names;     // id -> as in vocab.json ("Ġthe")
    std::vector<std::string> bytes;     // id -> the bytes that it stands for (" the")
    std::vector<BpeMerge> merges;       // by rank
    std::array<TokenId, 256> byte_ids;  // byte -> id of the token that is this byte alone
    TokenId boundary;
};

// GPT-2's printable stand-in for a byte (openai/gpt-2, src/encoder.py, bytes_to_unicode), in UTF-8.
const std::string& byte_name(unsigned char byte);
std::string bytes_to_name(std::string_view bytes);

// From the contents of vocab.json and merges.txt; the names stand for the files in messages. The vocabulary has ids 0..n-1, each
// once, the 256 single bytes, and <|endoftext|> (or else </s>) as the boundary. Throws DataError.
BpeModel parse_bpe(std::string_view vocab_json, const std::string& vocab_name, std::string_view merges_text,
                   const std::string& merges_name);
std::string format_vocab_json(const BpeModel& model);
std::string format_merges(const BpeModel& model);

}  // namespace longbow
