// The work of an encoding thread: text (or JSON lines) of one chunk to ids.
#pragma once

#include "encode_pipeline.h"

namespace longbow {

// Fills ids and piece_ends; for JSON lines text and pieces first. Throws DataError for a bad line and for an id outside the vocabulary.
void encode_chunk(const Tokenizer& tokenizer, const std::string& jsonl_key, EncodedChunk& chunk);

}  // namespace longbow
