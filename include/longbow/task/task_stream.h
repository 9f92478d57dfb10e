// A task's training items as a stream of tokens, so that everything that trains on text trains on tasks too: the order
// of training inputs, ranks, resuming, memory plans.
#pragma once

#include <cstdint>
#include <memory>

#include "longbow/config/config.h"
#include "longbow/data/token_store.h"

namespace longbow {

// Rows of the stream. A run draws each once before any comes again.
inline constexpr std::int64_t kTaskRows = std::int64_t{1} << 32;

// Makes the stream of the rows of `row_length` tokens (train.length): row i is training item i, filled up with
// kTaskEnd. Only answers give a loss. Nothing is stored; reading makes the items anew. Throws ConfigError if a row is
// too short for an item of the task's length.
std::unique_ptr<TokenStream> task_stream(const TaskConfig& config, std::int64_t row_length);

// Returns the tokenizer of a task's run: its ids, and no text.
std::unique_ptr<Tokenizer> task_tokenizer(const TaskConfig& config);

}  // namespace longbow
