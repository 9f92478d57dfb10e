// The header of a safetensors file. It is separate from tensors, so that its parser can be fuzzed without LibTorch. The
// file holds the header's length (8 bytes, little-endian), a JSON object name -> {dtype, shape, data_offsets}, then the
// tensors' bytes without gaps.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace longbow {

struct SafetensorsEntry {
    std::string name;
    std::string dtype;  // "F32", "BF16", "I64", ...
    std::vector<std::int64_t> shape;
    std::uint64_t begin = 0, end = 0;  // in bytes from data_begin
};

struct SafetensorsHeader {
    std::vector<SafetensorsEntry> tensors;  // sorted by begin
    std::map<std::string, std::string> metadata;
    std::uint64_t data_begin = 0;  // in bytes from the file's start
};

// Returns the bytes of one element of a dtype that Longbow reads and writes, or 0 for an unknown dtype.
std::size_t safetensors_dtype_size(std::string_view dtype);

// Parses the header. `file` is the whole file, of which only the size and the header are looked at; `name` stands for
// it in messages. Throws CheckpointError on anything that the format does not allow: lengths beyond the file, unknown
// dtypes, shapes that do not fit their bytes, overlaps, gaps, duplicate names. The fillers of
// build_safetensors_header() are left out of the result.
SafetensorsHeader parse_safetensors_header(std::span<const std::byte> file, const std::string& name);

// Lays the tensors out in the given order, each at a multiple of 64 bytes from the file's start (sets begin, end and
// data_begin), and returns the file's first bytes, ready to write. The format forbids gaps, so that where a tensor's
// size is no multiple of 64, a filler tensor ("longbow.filler.N", U8) takes up the rest. Without `fillers`, for other
// programs, which would miss the place of such a tensor in their model, one tensor follows the other at once.
std::string build_safetensors_header(SafetensorsHeader& header, bool fillers = true);

}  // namespace longbow
