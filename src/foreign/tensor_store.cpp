// Which files of a folder hold a model's weights. The folder may come from a stranger: an index may name any file, and
// what it names is looked at only if it lies in the folder itself.
#include "longbow/foreign/tensor_store.h"

#include <algorithm>

#include "foreign_json.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

constexpr std::uintmax_t kLargestIndex = std::uintmax_t{64} << 20;  // bytes; 10^5 names need some 10 MB

struct Container {
    const char* format;
    const char* file;   // of a model in a single file
    const char* index;  // of a model in several
    std::map<std::string, ForeignTensor> (*open)(const fs::path& path);
};
// In the order of precedence.
constexpr Container kContainers[] = {
    {"safetensors", "model.safetensors", "model.safetensors.index.json", open_safetensors},
    {"torch", "pytorch_model.bin", "pytorch_model.bin.index.json", open_torch_tensors}};

bool present(const fs::path& path) {
    std::error_code error;
    return fs::exists(fs::symlink_status(path, error));
}

// A name that leads to the folder's own file and nowhere else. A link is followed: caches of downloads are made of
// them.
bool is_plain_name(const std::string& name) {
    return !name.empty() && name.size() <= 255 && name[0] != '.' && name.find('/') == std::string::npos &&
           name.find('\\') == std::string::npos && name.find('\0') == std::string::npos;
}

// Returns for each tensor the file that the index gives.
std::map<std::string, std::string> read_index(const fs::path& path) {
    const Json index = read_foreign_json(path, kLargestIndex);
    const auto map = index.find("weight_map");
    if (map == index.end() || !map->is_object() || map->empty())
        throw CheckpointError(path.string() + ": it has no weight_map {tensor: file}, so it is no index of weights");
    std::map<std::string, std::string> files;
    for (const auto& [tensor, file] : map->items()) {
        if (!file.is_string())
            throw CheckpointError(path.string() + ": the file of tensor " + quote_foreign(tensor) + " is not a name");
        const auto name = file.get<std::string>();
        if (!is_plain_name(name)) {
            throw CheckpointError(path.string() + ": the file of tensor " + quote_foreign(tensor) + ", " +
                                  quote_foreign(name) +
                                  ", is not a file of this folder; put it there and name it without a path");
        }
        files[tensor] = name;
    }
    return files;
}

TensorStore open_shards(const fs::path& folder, const Container& container) {
    const fs::path index = folder / container.index;
    const auto files = read_index(index);
    std::vector<std::string> shards;
    for (const auto& [_, file] : files) shards.push_back(file);
    std::sort(shards.begin(), shards.end());
    shards.erase(std::unique(shards.begin(), shards.end()), shards.end());

    TensorStore store{folder.string(), container.format, {}, shards};
    for (const auto& shard : shards) {
        if (!present(folder / shard)) {
            throw CheckpointError((folder / shard).string() + " is missing, which " + index.string() +
                                  " names: download it, or the whole folder again");
        }
        for (auto& [name, tensor] : container.open(folder / shard)) {
            const auto given = files.find(name);
            // What the index does not name is a part of the file all the same, and so of what nothing may be left of.
            if (given != files.end() && given->second != shard) {
                throw CheckpointError((folder / shard).string() + ": it has the tensor " + quote_foreign(name) +
                                      ", which " + index.string() + " has in " + quote_foreign(given->second));
            }
            const auto [place, added] = store.tensors.emplace(name, std::move(tensor));
            if (!added) {
                throw CheckpointError((folder / shard).string() + ": it has the tensor " + quote_foreign(name) +
                                      " again, which is in " + place->second.file);
            }
        }
    }
    for (const auto& [name, file] : files) {
        if (!store.tensors.contains(name)) {
            throw CheckpointError((folder / file).string() + " has no tensor " + quote_foreign(name) + ", which " +
                                  index.string() + " has in it: download both again");
        }
    }
    return store;
}

}  // namespace

TensorStore open_tensor_folder(const fs::path& folder) {
    std::error_code error;
    if (!fs::is_directory(folder, error))
        throw CheckpointError(folder.string() + (present(folder) ? " is not a folder" : ": no such folder"));
    for (const auto& container : kContainers) {
        if (present(folder / container.file)) {
            return {folder.string(), container.format, container.open(folder / container.file), {container.file}};
        }
        if (present(folder / container.index)) return open_shards(folder, container);
    }
    throw CheckpointError(folder.string() +
                          ": no weights in it; they are model.safetensors, pytorch_model.bin, or one of these names "
                          "with .index.json and the files that it names");
}

std::int64_t ForeignTensor::elements() const {
    std::int64_t count = 1;
    for (const auto size : shape) count *= size;
    return count;
}

std::string shape_of(const std::vector<std::int64_t>& sizes) {
    std::vector<std::string> parts;
    for (const auto size : sizes) parts.push_back(std::to_string(size));
    return "[" + join(parts, ", ") + "]";
}

bool is_floating(PickleDtype dtype) {
    return dtype == PickleDtype::f32 || dtype == PickleDtype::f16 || dtype == PickleDtype::bf16 ||
           dtype == PickleDtype::f64;
}

}  // namespace longbow
