// Text files to token ids with several threads in bounded memory. Each thread does whatever is next: take a finished chunk to the caller (one
// at a time, in the order of the text), read and cut the next chunk of the first file that nobody reads, or encode a chunk; so that one thread
// is one thread, and several files are read at once where reading is the slow part. Chunks depend on the text alone: nothing depends on
// the number of threads.
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
    std::vector<std::size_t> piece_ends;  // ids up to the end of each piece, boundary included
    std::int64_t empty_documents = 0;     // JSON lines with an empty text, which make no document

    // Of JSON lines, before they are encoded: text and pieces come out of them.
    std::string lines;
    std::int64_t first_line = 0;
    const std::string* file = nullptr;

    // Empty, but with the memory that it had.
    void clear();
    [[nodiscard]] std::size_t bytes_held() const { return text.capacity() + lines.capacity() + ids.capacity() * sizeof(TokenId); }
};

// A place in the files: chunk `chunk` of file `file`, before which `text_bytes` of the file's text lie.
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
    EncodeCursor begin = {};  // files before this one are left out, chunks before this one are read but neither encoded nor passed on
};

// What takes the results, in the order of the text: by one thread at a time, not always the same one.
struct EncodeSink {
    // The chunk, and the place after it.
    std::function<void(const EncodedChunk&, const EncodeCursor&)> chunk;
    // A file is through, and all of its chunks were passed on.
    std::function<void(std::size_t file, const Source&)> file_done = [](std::size_t, const Source&) {};
};

// Throws what the sink threw, and in the place of the text where it belongs (all before was passed on): what reading threw, and DataError for
// a bad line or an id outside the vocabulary. `position`: bytes read of the files on disk, added up for progress.
void encode_files(const EncodeRequest& request, const EncodeSink& sink, std::atomic<std::uint64_t>* position = nullptr);

}  // namespace longbow
