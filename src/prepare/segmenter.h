// Cuts the text of a split into chunks that can be encoded independently: at document ends, and inside a long document
// only where its tokenizer says that a cut changes no id. It does no input or output, so that every rule can be tested
// on short strings.
//
// A chunk has all of the raw text, and its pieces say which parts are encoded. What separates documents (the newline of
// `line`, the empty lines of `blank_line`) lies between pieces: it counts in raw bytes, but has no token except the
// document's boundary. A tokenizer that ends each line itself (word) encodes the separators, too: its stream is that of
// the whole text, and documents only index it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/text/tokenizer.h"

namespace longbow {

struct Piece {
    std::size_t begin, end;  // in bytes of the chunk's text
    bool ends_document;
};

struct Chunk {
    std::string text;
    std::vector<Piece> pieces;
    bool after_space = true;          // the chunk follows whitespace or begins its file
    bool separate_documents = false;  // texts of JSON lines: words never span two documents
};

class Segmenter {
public:
    // `chunk_bytes` is the approximate size of a chunk's text.
    Segmenter(const Tokenizer& tokenizer, const DataConfig& documents, std::size_t chunk_bytes);

    // Returns the buffer to whose end the file's text is appended. Call take() after each addition.
    std::string& buffer() { return text_; }
    // Moves the next chunk into `chunk` if there is enough text for one (or the file has ended and text is left). Call
    // it until it returns false.
    bool take(Chunk& chunk, bool end_of_file);

private:
    void scan();
    // A line of white space alone looks empty to a reader, so that it counts as empty (WikiText's blank lines hold a
    // space).
    [[nodiscard]] bool is_empty(std::size_t begin, std::size_t end) const;
    void scan_line(std::size_t begin, std::size_t content_end, std::size_t next);
    void begin_content(std::size_t position);
    void close_document(std::size_t position);
    std::size_t cut_inside();
    void emit(Chunk& chunk, std::size_t size);

    const Tokenizer& tokenizer_;
    DocumentRule rule_;
    std::int64_t blank_lines_;
    std::size_t chunk_bytes_;
    bool keep_separators_;

    std::string text_;              // raw text that is not yet in a chunk
    std::vector<Piece> pieces_;     // closed pieces of text_
    std::size_t scanned_ = 0;       // text before this has been scanned, in whole lines
    std::size_t next_try_ = 0;      // size of text_ at which to look for the next cut
    bool has_content_ = false;      // the open document has a character
    bool in_line_ = false;          // the line at scanned_ is incomplete and has content
    std::int64_t empty_lines_ = 0;  // since the last line with content
    std::size_t open_ = 0;          // begin of the open piece
    std::size_t content_end_ = 0;   // end of the open document's content, in whole lines
    bool after_space_ = true;
};

}  // namespace longbow
