// Named tensors in files of other programs, whatever the container: safetensors, torch.save, GGUF. Nothing is read
// before it is asked for, one tensor at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "longbow/foreign/pickle_tree.h"

namespace longbow {

// The elements of a tensor in row-major order. `keeper` holds what the bytes are a part of: a mapped file or a copy.
struct StoredBytes {
    std::span<const std::byte> bytes;
    std::shared_ptr<const void> keeper;
};

// A file with tensors.
class TensorFile {
public:
    virtual ~TensorFile() = default;
    // Returns tensor `index` of this file. What the container has as it is needed, in row-major order and of a type
    // that memory can hold, is not copied. Throws CheckpointError.
    [[nodiscard]] virtual StoredBytes read(std::size_t index) const = 0;
};

struct ForeignTensor {
    std::string file;                      // its name, for messages
    std::string type;                      // as the container calls it: "F32", "bfloat16", "Q4_1"
    PickleDtype dtype = PickleDtype::f32;  // of the elements that read() returns
    std::vector<std::int64_t> shape;
    std::shared_ptr<const TensorFile> source;
    std::size_t index = 0;

    [[nodiscard]] StoredBytes read() const { return source->read(index); }
    [[nodiscard]] std::int64_t elements() const;
};

// The tensors of a model by name.
struct TensorStore {
    std::string name;    // of the folder or file, for messages
    std::string format;  // "safetensors", "torch", "gguf"
    std::map<std::string, ForeignTensor> tensors;
    std::vector<std::string> files;  // names within the folder
};

// Opens the weights of a model's folder: model.safetensors, or the files that model.safetensors.index.json names, or
// the same of pytorch_model.bin. Safetensors win where both are; no other file is looked at. Throws CheckpointError
// that names file and tensor: no weights, a file that is absent, damaged or outside the folder, a tensor that two
// files have or that the index has elsewhere.
TensorStore open_tensor_folder(const std::filesystem::path& folder);

// These open a single file; `name` is what messages call it.
std::map<std::string, ForeignTensor> open_safetensors(const std::filesystem::path& path);
std::map<std::string, ForeignTensor> open_torch_tensors(const std::filesystem::path& path);

// Returns the shape as messages show it: "[32, 16]".
std::string shape_of(const std::vector<std::int64_t>& sizes);
bool is_floating(PickleDtype dtype);

}  // namespace longbow
