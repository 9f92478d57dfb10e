// NumPy's file format for one array (.npy, versions 1.0 to 3.0), as far as Longbow needs it: arrays of one dimension.
// The format is defined in NumPy's documentation, numpy.lib.format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace longbow {

struct NpyHeader {
    char byte_order = '|';  // '<', '>'; '|' where elements have one byte
    char kind = 'i';        // 'i', 'u', 'f', ..
    std::size_t item_size = 0;
    bool fortran_order = false;
    std::vector<std::int64_t> shape;
    std::size_t data_begin = 0;              // offset of the first element in the file
    [[nodiscard]] std::string type() const;  // "<i8"
};

// Reads the header at the beginning of a file's bytes. `path` is used in messages. Throws DataError: not such a file,
// a version that is not known, a header that is cut off or not as NumPy writes it, elements that are not numbers.
NpyHeader read_npy_header(std::string_view bytes, const std::filesystem::path& path);

// Returns the header of a little-endian array of one dimension, version 1.0, as NumPy writes it: the data begin at a
// multiple of 64. `type` is as in NpyHeader::type().
std::string npy_header(const std::string& type, std::size_t count);

}  // namespace longbow
