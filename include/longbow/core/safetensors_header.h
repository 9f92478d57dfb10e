// The header of a safetensors file, apart from tensors, so that its parser stands alone (and can be fuzzed without LibTorch):
// 8 bytes little-endian header length, a JSON object name -> {dtype, shape, data_offsets}, then the tensors' bytes without gaps.
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
    std::uint64_t begin = 0, end = 0;  // bytes from data_begin
};

struct SafetensorsHeader {
    std::vector<SafetensorsEntry> tensors;  // by begin
    std::map<std::string, std::string> metadata;
    std::uint64_t data_begin = 0;  // bytes from the file's start
};

// Bytes an element of a dtype that we read and write; 0: unknown.
std::size_t safetensors_dtype_size(std::string_view dtype);

// `file` is the whole file (only its size and its header are looked at), `name` stands for it in messages. Throws CheckpointError
// on anything that the format does not allow: lengths beyond the file, unknown dtypes, shapes that do not fit their bytes, overlaps,
// gaps, duplicate names. Our alignment fillers are left out of the result.
SafetensorsHeader parse_safetensors_header(std::span<const std::byte> file, const std::string& name);

// Lays the tensors out in the given order, each at a multiple of 64 bytes from the file's start (fills begin and end), and returns the
// file's first bytes, ready to write. The format forbids gaps: where a tensor's size is no multiple of 64, a filler tensor
// ("longbow.filler.N", U8) takes up the rest.
std::string build_safetensors_header(SafetensorsHeader& header);

}  // namespace longbow
