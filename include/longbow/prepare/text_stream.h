// Text files as a stream of ids in memory, without a store.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/data/token_store.h"

namespace longbow {

// Text in memory as a stream (eval --text): encodes the files with the tokenizer, documents as configured.
std::unique_ptr<TokenStream> stream_of_text(const Tokenizer& tokenizer, const std::vector<std::string>& files, const DataConfig& data,
                                            int threads);

}  // namespace longbow
