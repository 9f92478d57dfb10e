// Reads the tensors of a golden file.
#pragma once

#include <torch/types.h>

#include <map>
#include <span>
#include <string>

#include "longbow/core/files.h"
#include "longbow/core/safetensors_header.h"

namespace longbow::test {

using Tensors = std::map<std::string, at::Tensor>;

inline Tensors read_tensors(const std::string& path) {
    const auto bytes = read_file(path);
    const auto header = parse_safetensors_header(std::as_bytes(std::span(bytes)), path);
    Tensors tensors;
    for (const auto& entry : header.tensors) {
        const auto type = entry.dtype == "I64" ? torch::kLong : entry.dtype == "F64" ? torch::kDouble : torch::kFloat;
        auto* data = const_cast<char*>(bytes.data()) + header.data_begin + entry.begin;
        tensors[entry.name] = torch::from_blob(data, entry.shape, type).clone();
    }
    return tensors;
}

}  // namespace longbow::test
