// Token streams in memory, for text that is not in a store (prepare/text_stream.h) and for tests.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "longbow/data/token_store.h"

namespace longbow {

struct KnownOffset {
    std::int64_t token;
    RawCount counts;  // bytes and words of the tokens before this position
};

// Makes a stream of ids. `document_ends` is as in TokenStream. `known` ascends from token 0 to ids.size(); between its
// positions bytes and words are interpolated. `ends_with_boundary` is as in TokenStream.
std::unique_ptr<TokenStream> memory_stream(std::vector<TokenId> ids, TokenId boundary,
                                           std::vector<std::int64_t> document_ends, std::vector<KnownOffset> known,
                                           bool ends_with_boundary = true);

// Makes a stream of one document, of whose text nothing is known: it has no bytes and no words. Throws DataError
// without ids.
std::unique_ptr<TokenStream> stream_without_text(std::vector<TokenId> ids, TokenId boundary);

// Makes a stream of one document whose tokens count as one byte and one word each, for tests and small tasks. Throws
// DataError without ids.
std::unique_ptr<TokenStream> stream_of_ids(std::vector<TokenId> ids, TokenId boundary);

}  // namespace longbow
