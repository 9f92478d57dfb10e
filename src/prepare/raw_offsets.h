// Finds where tokens lie in the raw text: the bytes and words before each 4,096th token and at document ends, from
// which losses per byte and per word are computed.
//
// The positions are exact where the tokens decode one by one to the text (byte-level bpe). Otherwise a piece's text is
// divided among its tokens in proportion to their lengths, and between line ends when the tokenizer marks lines (word).
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
    // Continues after the chunks that another RawOffsets has counted, given its tokens() and total().
    RawOffsets(const Tokenizer& tokenizer, std::int64_t tokens, const RawCount& counts);

    // Adds a chunk. Calls on_mark with the counts before token 4096 k, for ascending k, and on_document with a
    // document's end in tokens and the counts there.
    using OnMark = std::function<void(const RawCount&)>;
    using OnDocument = std::function<void(std::int64_t end, const RawCount&)>;
    void add(const EncodedChunk& chunk, const OnMark& on_mark, const OnDocument& on_document);

    [[nodiscard]] std::int64_t tokens() const { return tokens_; }
    [[nodiscard]] RawCount total() const;

private:
    void add_piece(const EncodedChunk& chunk, const Piece& piece, std::size_t first, std::size_t last,
                   const OnMark& on_mark);
    // Sets offsets_ to the byte offset before each of the piece's tokens [first, last).
    void locate(const EncodedChunk& chunk, const Piece& piece, std::size_t first, std::size_t last);
    void distribute_offsets(const EncodedChunk& chunk, std::size_t first, std::size_t last, std::size_t begin,
                            std::size_t end);
    std::uint64_t length_of(TokenId id);
    RawCount counts_at(const EncodedChunk& chunk, std::size_t offset, std::int64_t tokens);

    const Tokenizer& tokenizer_;
    std::vector<std::int32_t> lengths_;  // bytes that a token decodes to; -1: not known yet
    std::vector<std::size_t> offsets_;
    std::int64_t tokens_ = 0;  // of all chunks before this one
    std::uint64_t bytes_ = 0;
    std::uint64_t words_ = 0;  // that start before counted_
    std::size_t counted_ = 0;  // bytes of the chunk whose words are counted
    bool after_space_ = true;
};

}  // namespace longbow
