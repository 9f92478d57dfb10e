#include "raw_offsets.h"

#include <algorithm>

#include "words.h"

namespace longbow {

namespace {

// Returns the position after the next line end (\n, \r or \r\n, as the word tokenizer reads them).
std::size_t line_end(std::string_view text, std::size_t begin) {
    const auto at = text.find_first_of("\n\r", begin);
    if (at == std::string_view::npos) return text.size();
    return at + (text.substr(at, 2) == "\r\n" ? 2 : 1);
}

}  // namespace

RawOffsets::RawOffsets(const Tokenizer& tokenizer)
    : tokenizer_(tokenizer), lengths_(static_cast<std::size_t>(tokenizer.vocab_size()), -1) {}

RawOffsets::RawOffsets(const Tokenizer& tokenizer, std::int64_t tokens, const RawCount& counts)
    : RawOffsets(tokenizer) {
    tokens_ = tokens;
    bytes_ = counts.bytes;
    words_ = tokenizer.boundary_per_line() ? 0 : counts.words;  // computed by total()
}

RawCount RawOffsets::total() const {
    return {bytes_, tokenizer_.boundary_per_line() ? static_cast<std::uint64_t>(tokens_) : words_};
}

std::uint64_t RawOffsets::length_of(TokenId id) {
    auto& length = lengths_[id];
    if (length < 0) length = static_cast<std::int32_t>(tokenizer_.decode({id}).size());
    return static_cast<std::uint64_t>(length);
}

// Returns the counts at an offset of the chunk. Offsets must ascend from call to call. With a tokenizer that marks
// lines (word), each token is one word or line end, so that the number of tokens is the number of words.
RawCount RawOffsets::counts_at(const EncodedChunk& chunk, std::size_t offset, std::int64_t tokens) {
    if (tokenizer_.boundary_per_line()) return {bytes_ + offset, static_cast<std::uint64_t>(tokens)};
    words_ += static_cast<std::uint64_t>(count_word_starts(chunk.text, counted_, offset, after_space_));
    counted_ = std::max(counted_, offset);
    return {bytes_ + offset, words_};
}

void RawOffsets::distribute_offsets(const EncodedChunk& chunk, std::size_t first, std::size_t last, std::size_t begin,
                                    std::size_t end) {
    std::uint64_t total = 0;
    for (std::size_t i = first; i < last; ++i) total += length_of(chunk.ids[i]);
    // Characters outside the vocabulary may decode to nothing. One more unit for each token keeps every offset inside.
    const std::uint64_t extra = total == end - begin ? 0 : 1;
    total += extra * (last - first);
    std::uint64_t before = 0;
    for (std::size_t i = first; i < last; ++i) {
        const auto share =
            total == 0 ? 0 : static_cast<std::uint64_t>(static_cast<unsigned __int128>(end - begin) * before / total);
        offsets_.push_back(begin + static_cast<std::size_t>(share));
        before += length_of(chunk.ids[i]) + extra;
    }
}

void RawOffsets::locate(const EncodedChunk& chunk, const Piece& piece, std::size_t first, std::size_t last) {
    offsets_.clear();
    if (!tokenizer_.boundary_per_line()) {
        const std::size_t text_tokens = piece.ends_document ? last - 1 : last;
        distribute_offsets(chunk, first, text_tokens, piece.begin, piece.end);
        if (piece.ends_document) offsets_.push_back(piece.end);
        return;
    }
    std::size_t begin = piece.begin;
    for (std::size_t token = first; token < last;) {
        auto line_last = token;
        while (line_last < last && chunk.ids[line_last] != tokenizer_.boundary()) ++line_last;
        if (line_last < last) ++line_last;
        const std::size_t end = std::min(line_end(chunk.text, begin), piece.end);
        distribute_offsets(chunk, token, line_last, begin, end);
        begin = end;
        token = line_last;
    }
}

void RawOffsets::add_piece(const EncodedChunk& chunk, const Piece& piece, std::size_t first, std::size_t last,
                           const OnMark& on_mark) {
    const auto begin = tokens_ + static_cast<std::int64_t>(first);
    const auto end = tokens_ + static_cast<std::int64_t>(last);
    auto mark = (begin + kMarkTokens - 1) / kMarkTokens * kMarkTokens;
    if (mark >= end) return;
    locate(chunk, piece, first, last);
    for (; mark < end; mark += kMarkTokens)
        on_mark(counts_at(chunk, offsets_[static_cast<std::size_t>(mark - begin)], mark));
}

void RawOffsets::add(const EncodedChunk& chunk, const OnMark& on_mark, const OnDocument& on_document) {
    counted_ = 0;
    after_space_ = chunk.after_space;
    std::size_t first = 0;
    for (std::size_t i = 0; i < chunk.pieces.size(); ++i) {
        const Piece& piece = chunk.pieces[i];
        const std::size_t last = chunk.piece_ends[i];
        if (last > first) add_piece(chunk, piece, first, last, on_mark);
        if (piece.ends_document) {
            // The text between two documents counts to the boundary of the first.
            const std::size_t next = i + 1 < chunk.pieces.size() ? chunk.pieces[i + 1].begin : piece.end;
            const auto end = tokens_ + static_cast<std::int64_t>(last);
            on_document(end, counts_at(chunk, next, end));
            if (chunk.separate_documents) after_space_ = true;
        }
        first = last;
    }
    tokens_ += static_cast<std::int64_t>(chunk.ids.size());
    (void)counts_at(chunk, chunk.text.size(), tokens_);
    bytes_ += chunk.text.size();
}

}  // namespace longbow
