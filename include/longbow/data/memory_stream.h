// Streams of ids in memory: for text that is no store (prepare/text_stream.h) and for tests.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "longbow/data/token_store.h"

namespace longbow {

struct KnownOffset {
    std::int64_t token;
    RawCount counts;  // of the tokens before it
};

// `document_ends`: as TokenStream has them. `known` ascends from token 0 to ids.size(); between its places bytes and words are interpolated.
std::unique_ptr<TokenStream> memory_stream(std::vector<TokenId> ids, TokenId boundary, std::vector<std::int64_t> document_ends,
                                           std::vector<KnownOffset> known);

// Ids in memory (tests, small things): one document, one byte and one word a token. Throws DataError without ids.
std::unique_ptr<TokenStream> stream_of_ids(std::vector<TokenId> ids, TokenId boundary);

}  // namespace longbow
