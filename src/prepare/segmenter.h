// Cuts the text of a split into chunks that can be encoded apart: at document ends, and inside a long document only where its
// tokenizer says that a cut changes no id. Pure: no input or output, so that every rule is tested on short strings.
//
// A chunk keeps all of the raw text, its pieces say which parts are encoded: what separates documents (the newline of `line`, the
// empty lines of `blank_line`) lies between pieces and is counted in raw bytes, but has no token except the document's boundary.
// A tokenizer that ends each line by itself (word) gets the separators too: its stream is that of the whole text, and documents
// are only an index into it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/text/tokenizer.h"

namespace longbow {

struct Piece {
    std::size_t begin, end;  // bytes of the chunk's text
    bool ends_document;
};

struct Chunk {
    std::string text;
    std::vector<Piece> pieces;
    bool after_space = true;  // the character before the chunk is whitespace, or there is none in its file
    bool apart = false;       // documents stand side by side with nothing between: a word never goes on into the next
};

class Segmenter {
public:
    // chunk_bytes: about how much text makes a chunk.
    Segmenter(const Tokenizer& tokenizer, const DataConfig& documents, std::size_t chunk_bytes);

    // The file's text goes to the end of this; call take() after each addition.
    std::string& buffer() { return text_; }
    // Moves the next chunk into `chunk` if there is enough text for one (or the file has ended and text is left). Call until false.
    bool take(Chunk& chunk, bool end_of_file);

private:
    void scan();
    // A line of white space alone looks empty to its reader, and counts so (WikiText's blank lines hold a space).
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

    std::string text_;              // raw text not yet in a chunk
    std::vector<Piece> pieces_;     // closed pieces of text_
    std::size_t scanned_ = 0;       // whole lines up to here are known
    std::size_t next_try_ = 0;      // size of text_ at which to look for a cut again
    bool has_content_ = false;      // the open document has a character
    bool in_line_ = false;          // the line after scanned_ is not whole, but has content
    std::int64_t empty_lines_ = 0;  // since the last line with content
    std::size_t open_ = 0;          // where the open piece begins
    std::size_t content_end_ = 0;   // end of the open document's content so far, in whole lines
    bool after_space_ = true;
};

}  // namespace longbow
