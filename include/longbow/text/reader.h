// Text files of any size, plain or compressed (.gz, .xz, .zst by their magic bytes; concatenated members read as one), as a
// stream of checked UTF-8. A byte order mark at the start of a file is not text: it is left out, and offsets in messages count it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "longbow/core/utf8.h"

namespace longbow {

class TextReader {
public:
    // Throws DataError (missing, unreadable, damaged archive, invalid UTF-8: with file and byte offset).
    explicit TextReader(const std::filesystem::path& path);
    ~TextReader();
    TextReader(const TextReader&) = delete;
    TextReader& operator=(const TextReader&) = delete;

    // Appends up to about `limit` more bytes to `out`, never cutting a UTF-8 character; false at the end of the file, and only then
    // is nothing appended: while (reader.read(text, n)) { ... } sees all of it.
    bool read(std::string& out, std::size_t limit);
    // Bytes consumed of the file on disk (for progress), and of text produced.
    [[nodiscard]] std::uint64_t compressed_position() const;
    [[nodiscard]] std::uint64_t text_position() const;
    // XXH3 fingerprint of the text read so far (whole file once read() returned false).
    [[nodiscard]] std::string fingerprint() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace longbow
