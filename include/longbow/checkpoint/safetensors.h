// Reads and writes the safetensors format: an 8-byte header length, a JSON header, and raw little-endian tensors. In
// files that we write, tensors start at multiples of 64 bytes.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "longbow/model/named_tensor.h"

namespace longbow {

struct SafetensorsFile {
    // Views of a memory mapping that the tensors keep alive. Copy them before training on them.
    std::map<std::string, at::Tensor> tensors;
    std::map<std::string, std::string> metadata;
};

// Throws CheckpointError with the file's name on any damage. The file may come from anyone, so nothing in it is
// trusted.
SafetensorsFile read_safetensors(const std::filesystem::path& path);
// Writes the tensors in the given order and syncs the file. This is not atomic by itself: callers write into a
// DirectoryTransaction.
void write_safetensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors,
                       const std::map<std::string, std::string>& metadata);

// Returns the format's name of an element type. Throws Error for a type that it does not have.
const char* safetensors_dtype_name(at::ScalarType type);

// Returns the shape as messages show it: "[32, 16]".
std::string shape_text(at::IntArrayRef sizes);

}  // namespace longbow
