// Encodes text files into a stream of ids in memory, without a store.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/data/token_store.h"

namespace longbow {

// Encodes the files with the tokenizer, cutting documents as `data` says. Used by `longbow eval --text`. Throws
// DataError when the files have no text.
std::unique_ptr<TokenStream> stream_of_text(const Tokenizer& tokenizer, const std::vector<std::string>& files,
                                            const DataConfig& data, int threads);

}  // namespace longbow
