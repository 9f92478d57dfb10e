// Reads one text file as chunks to encode: plain text that is cut by the document rule, or blocks of JSON lines, which
// the encoding thread parses. Chunks depend on the file and the settings alone.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "encode_pipeline.h"
#include "longbow/text/json_lines.h"

namespace longbow {

inline constexpr std::size_t kChunkBytes = 512 << 10;

class InputFile {
public:
    // Throws DataError, as next() does.
    InputFile(const std::string& path, const Tokenizer& tokenizer, const DataConfig& documents);
    // Clears `chunk` and reads the next one into it. Returns false after the last one.
    bool next(EncodedChunk& chunk);
    // Returns the bytes read of the file on disk.
    [[nodiscard]] std::uint64_t position() const { return reader().compressed_position(); }
    // Returns the file's entry for the manifest, without text_bytes, once next() has returned false.
    [[nodiscard]] Source source() const;

private:
    [[nodiscard]] const TextReader& reader() const { return lines_ ? lines_->text() : *text_; }

    const std::string& path_;
    std::unique_ptr<LineReader> lines_;  // one of the two is set
    std::unique_ptr<TextReader> text_;
    Segmenter segmenter_;
    bool ended_ = false;
};

}  // namespace longbow
