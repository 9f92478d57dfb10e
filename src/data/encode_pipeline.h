// Text files to token ids with several threads in bounded memory: one thread reads and cuts, N encode, and the caller's thread
// takes the chunks in the order of the text. Chunks depend on the text alone, so that nothing depends on the number of threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "longbow/text/tokenizer.h"
#include "segmenter.h"

namespace longbow {

struct EncodedChunk : Chunk {
    std::vector<TokenId> ids;
    std::vector<std::size_t> piece_ends;  // ids up to the end of each piece, boundary included
};

// One text file as it was read.
struct Source {
    std::string name;           // without its folder: a store stays the same when its text moves
    std::uint64_t file_bytes;   // on disk
    std::uint64_t text_bytes;   // decompressed
    std::string fingerprint;    // of the text
};

struct EncodeRequest {
    const Tokenizer& tokenizer;
    const std::vector<std::string>& files;
    const DataConfig& documents;
    int threads = 1;
};

// Throws what reading or encoding threw, DataError for an id outside the vocabulary, and Error when a
// stop was requested. `position`: bytes read of the files on disk, for progress.
std::vector<Source> encode_files(const EncodeRequest& request, const std::function<void(const EncodedChunk&)>& consume,
                                 std::atomic<std::uint64_t>* position = nullptr);

}  // namespace longbow
