// Reads text files of any size as a stream of checked UTF-8, plain or compressed (.gz, .xz and .zst by their magic
// bytes; concatenated members are read as one). A byte order mark at the start of a file is left out, but counts in the
// offsets of messages.
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
    // Throws DataError with file and byte offset when the file is missing or unreadable, its archive is damaged, or its
    // text is not UTF-8.
    explicit TextReader(const std::filesystem::path& path);
    ~TextReader();
    TextReader(const TextReader&) = delete;
    TextReader& operator=(const TextReader&) = delete;

    // Appends up to about `limit` more bytes to `out` without cutting a UTF-8 character. Returns false at the end of
    // the file, and only then appends nothing, so that `while (reader.read(text, n)) { ... }` sees all of it. Throws as
    // the constructor.
    bool read(std::string& out, std::size_t limit);
    // Return the bytes consumed of the file on disk, for progress, and the bytes of text produced.
    [[nodiscard]] std::uint64_t compressed_position() const;
    [[nodiscard]] std::uint64_t text_position() const;
    // Returns the XXH3 fingerprint of the text read so far: that of the whole file once read() has returned false.
    [[nodiscard]] std::string fingerprint() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace longbow
