// The safetensors format: an 8-byte header length, a JSON header, raw little-endian tensors. Ours start at multiples of 64 bytes.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace longbow {

struct NamedTensor {
    std::string name;
    at::Tensor tensor;
};

struct SafetensorsFile {
    std::map<std::string, at::Tensor> tensors;  // views of a mapping kept alive by the tensors (copy before training on them)
    std::map<std::string, std::string> metadata;
};

// Throws CheckpointError with the file's name on any damage (foreign bytes: nothing is trusted).
SafetensorsFile read_safetensors(const std::filesystem::path& path);
// Written in the given order; not atomic by itself (callers write into a DirectoryTransaction). Syncs.
void write_safetensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors,
                       const std::map<std::string, std::string>& metadata);

// "[32, 16]", as messages show it.
std::string shape_text(at::IntArrayRef sizes);

}  // namespace longbow
