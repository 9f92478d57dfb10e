// Where tokens lie in the raw text: bytes and words before each 4,096th token and at document ends, for measures per byte and per word.
//
// Exact where the tokenizer's tokens decode one by one to the text (byte-level bpe); else the piece's text is shared out among its
// tokens by the length of each, between line ends when the tokenizer marks lines (word).
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "encode_pipeline.h"
#include "longbow/data/manifest.h"
#include "longbow/data/token_store.h"

namespace longbow {

class RawOffsets {
public:
    explicit RawOffsets(const Tokenizer& tokenizer);
    // Goes on after chunks of so many tokens, bytes and words: tokens() and total() of another.
    RawOffsets(const Tokenizer& tokenizer, std::int64_t tokens, const RawCount& counts);

    // on_mark(counts before token 4096 k), k ascending; on_document(end of the document in tokens, counts there).
    using OnMark = std::function<void(const RawCount&)>;
    using OnDocument = std::function<void(std::int64_t end, const RawCount&)>;
    void add(const EncodedChunk& chunk, const OnMark& on_mark, const OnDocument& on_document);

    [[nodiscard]] std::int64_t tokens() const { return tokens_; }
    [[nodiscard]] RawCount total() const;

private:
    void add_piece(const EncodedChunk& chunk, const Piece& piece, std::size_t first, std::size_t last, const OnMark& on_mark);
    // Byte offsets before each of the piece's tokens [first, last), and its end.
    void locate(const EncodedChunk& chunk, const Piece& piece, std::size_t first, std::size_t last);
    void share_out(const EncodedChunk& chunk, std::size_t first, std::size_t last, std::size_t begin, std::size_t end);
    std::uint64_t length_of(TokenId id);
    RawCount counts_at(const EncodedChunk& chunk, std::size_t offset, std::int64_t tokens);

    const Tokenizer& tokenizer_;
    std::vector<std::int32_t> lengths_;  // bytes a token decodes to; -1: not yet known
    std::vector<std::size_t> offsets_;
    std::int64_t tokens_ = 0;  // before the chunk
    std::uint64_t bytes_ = 0;
    std::uint64_t words_ = 0;  // that start before counted_
    std::size_t counted_ = 0;  // bytes of the chunk
    bool after_space_ = true;
};

}  // namespace longbow
