#include "longbow/checkpoint/safetensors.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <cstring>
#include <memory>
#include <utility>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/safetensors_header.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

constexpr std::pair<const char*, at::ScalarType> kDtypes[] = {
    {"F64", at::kDouble}, {"F32", at::kFloat}, {"F16", at::kHalf}, {"BF16", at::kBFloat16}, {"I64", at::kLong},
    {"I32", at::kInt},    {"I16", at::kShort}, {"I8", at::kChar},  {"U8", at::kByte},       {"BOOL", at::kBool},
};

at::ScalarType scalar_type(const std::string& dtype) {
    for (const auto& [name, type] : kDtypes) {
        if (dtype == name) return type;
    }
    throw Error("safetensors: no scalar type for " + dtype);
}

}  // namespace

const char* safetensors_dtype_name(at::ScalarType type) {
    for (const auto& [name, known] : kDtypes) {
        if (known == type) return name;
    }
    throw Error(std::string("safetensors: the format does not know the type ") + c10::toString(type));
}

SafetensorsFile read_safetensors(const std::filesystem::path& path) {
    std::shared_ptr<const MappedFile> mapping;
    try {
        mapping = std::make_shared<const MappedFile>(path);
    } catch (const Error& error) {
        throw CheckpointError(error.what());
    }
    const SafetensorsHeader header = parse_safetensors_header(mapping->bytes(), path.string());
    SafetensorsFile file;
    file.metadata = header.metadata;
    for (const auto& entry : header.tensors) {
        const auto type = scalar_type(entry.dtype);
        const std::byte* data = mapping->bytes().data() + header.data_begin + entry.begin;
        at::Tensor tensor;
        if (entry.begin == entry.end) {
            tensor = at::empty(entry.shape, type);
        } else if (reinterpret_cast<std::uintptr_t>(data) % c10::elementSize(type) == 0) {
            tensor = at::from_blob(
                const_cast<std::byte*>(data), entry.shape, [mapping](void*) {}, type);
        } else {  // files of other programs may be unaligned
            tensor = at::empty(entry.shape, type);
            std::memcpy(tensor.data_ptr(), data, static_cast<std::size_t>(entry.end - entry.begin));
        }
        file.tensors.emplace(entry.name, std::move(tensor));
    }
    return file;
}

void write_safetensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors,
                       const std::map<std::string, std::string>& metadata) {
    SafetensorsHeader header;
    header.metadata = metadata;
    for (const auto& tensor : tensors)
        header.tensors.push_back(
            {tensor.name, safetensors_dtype_name(tensor.tensor.scalar_type()), tensor.tensor.sizes().vec(), 0, 0});
    const std::string head = build_safetensors_header(header);
    OutputFile file(path);
    file.write(head);
    static constexpr char kZeros[64] = {};
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        const auto& entry = header.tensors[i];
        file.write(kZeros, static_cast<std::size_t>(header.data_begin + entry.begin - file.position()));
        const at::Tensor contiguous = tensors[i].tensor.detach().to(at::kCPU).contiguous();
        file.write(contiguous.data_ptr(), static_cast<std::size_t>(entry.end - entry.begin));
    }
    file.close();
}

std::string shape_text(at::IntArrayRef sizes) {
    std::vector<std::string> parts;
    for (const auto size : sizes) parts.push_back(std::to_string(size));
    return "[" + join(parts, ", ") + "]";
}

}  // namespace longbow
