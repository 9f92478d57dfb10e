// Stands in for the tokenizer of a model whose own is not known here (`longbow import --no-tokenizer`). It has the
// number of ids and the boundary, so that given ids can be scored; text is refused.
#pragma once

#include <cstdint>
#include <memory>

#include "longbow/text/tokenizer.h"

namespace longbow {

// `boundary` is below `vocab_size`.
std::unique_ptr<Tokenizer> make_ids_tokenizer(std::int64_t vocab_size, TokenId boundary);

}  // namespace longbow
