// Tensors of a safetensors file, as parts of the mapped file.
#include <map>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/safetensors_header.h"
#include "longbow/foreign/tensor_store.h"

namespace longbow {

namespace {

PickleDtype dtype_of(const std::string& name) {
    static const std::map<std::string, PickleDtype> types = {{"F64", PickleDtype::f64}, {"F32", PickleDtype::f32},
                                                             {"F16", PickleDtype::f16}, {"BF16", PickleDtype::bf16},
                                                             {"I64", PickleDtype::i64}, {"I32", PickleDtype::i32},
                                                             {"I16", PickleDtype::i16}, {"I8", PickleDtype::i8},
                                                             {"U8", PickleDtype::u8},   {"BOOL", PickleDtype::boolean}};
    const auto found = types.find(name);
    return found == types.end() ? PickleDtype::unknown : found->second;
}

class MappedSafetensors : public TensorFile {
public:
    MappedSafetensors(std::shared_ptr<const MappedFile> mapping, SafetensorsHeader header)
        : mapping_(std::move(mapping)), header_(std::move(header)) {}
    [[nodiscard]] StoredBytes read(std::size_t index) const override {
        const auto& entry = header_.tensors.at(index);
        return {mapping_->bytes().subspan(static_cast<std::size_t>(header_.data_begin + entry.begin),
                                          static_cast<std::size_t>(entry.end - entry.begin)),
                mapping_};
    }
    [[nodiscard]] const SafetensorsHeader& header() const { return header_; }

private:
    std::shared_ptr<const MappedFile> mapping_;
    SafetensorsHeader header_;
};

}  // namespace

std::map<std::string, ForeignTensor> open_safetensors(const fs::path& path) {
    std::shared_ptr<const MappedFile> mapping;
    try {
        mapping = std::make_shared<const MappedFile>(path);
    } catch (const Error& error) {
        throw CheckpointError(error.what());
    }
    auto header = parse_safetensors_header(mapping->bytes(), path.string());
    const auto file = std::make_shared<const MappedSafetensors>(std::move(mapping), std::move(header));
    std::map<std::string, ForeignTensor> tensors;
    for (std::size_t i = 0; i < file->header().tensors.size(); ++i) {
        const auto& entry = file->header().tensors[i];
        tensors[entry.name] = {path.string(), entry.dtype, dtype_of(entry.dtype), entry.shape, file, i};
    }
    return tensors;
}

}  // namespace longbow
