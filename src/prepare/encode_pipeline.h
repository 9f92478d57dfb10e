// Encodes text files with several threads in bounded memory. Each thread repeatedly does one of
// these tasks: pass a finished chunk to the caller (one thread at a time, in the order of the text), read and cut the
// next chunk of the first file that no thread is reading, or encode a chunk. So there are no threads beside `threads`,
// and several files are read at once where reading is slow. Chunks depend on the text alone, so that no result depends
// on the number of threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "longbow/data/manifest.h"
#include "longbow/text/tokenizer.h"
#include "segmenter.h"

namespace longbow {

struct EncodedChunk : Chunk {
    std::vector<TokenId> ids;
    std::vector<std::size_t> piece_ends;  // number of ids up to the end of each piece, boundary included
    std::int64_t empty_documents = 0;     // JSON lines with an empty text; they make no document

    // A block of JSON lines before it is encoded. Text and pieces are parsed from it.
    std::string lines;
    std::int64_t first_line = 0;
    const std::string* file = nullptr;

    // Empties the chunk and keeps its memory.
    void clear();
    [[nodiscard]] std::size_t bytes_held() const {
        return text.capacity() + lines.capacity() + ids.capacity() * sizeof(TokenId);
    }
};

// A position in the files: chunk `chunk` of file `file`, with `text_bytes` of the file's text before it.
struct EncodeCursor {
    std::size_t file = 0;
    std::uint64_t chunk = 0;
    std::uint64_t text_bytes = 0;
};

struct EncodeRequest {
    const Tokenizer& tokenizer;
    const std::vector<std::string>& files;
    const DataConfig& documents;
    int threads = 1;
    // The position at which to resume. Files before it are left out; chunks before it are read, but neither encoded nor
    // passed on.
    EncodeCursor begin = {};
};

// Receives the results in the order of the text, from one thread at a time, though not always the same one.
struct EncodeSink {
    // Gets a chunk and the position after it.
    std::function<void(const EncodedChunk&, const EncodeCursor&)> chunk;
    // Called when a file has ended and all of its chunks were passed on.
    std::function<void(std::size_t file, const Source&)> file_done = [](std::size_t, const Source&) {};
};

// Encodes the files. Throws what the sink threw. What reading threw, and DataError for a bad line or an id outside the
// vocabulary, is thrown after all text before that place has been passed on. `position` is increased by the bytes that
// are read from the files on disk, for progress.
void encode_files(const EncodeRequest& request, const EncodeSink& sink, std::atomic<std::uint64_t>* position = nullptr);

}  // namespace longbow
