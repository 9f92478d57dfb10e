// Reads a file's bytes and decompresses them when its magic bytes say gzip, xz or zstd.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>

namespace longbow {

class ByteSource {
public:
    virtual ~ByteSource() = default;
    // Reads up to `size` bytes into `data` and returns their number, 0 at the end. Throws DataError on a damaged or
    // truncated archive.
    virtual std::size_t read(char* data, std::size_t size) = 0;
    // Returns the bytes consumed of the file on disk.
    [[nodiscard]] virtual std::uint64_t consumed() const = 0;
};

// Throws DataError when `path` cannot be opened, is a folder, or cannot be read.
std::unique_ptr<ByteSource> open_byte_source(const std::filesystem::path& path);

}  // namespace longbow
