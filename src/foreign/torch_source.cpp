// Tensors of a file of torch.save that holds a state_dict: a dict from names to tensors.
#include <map>

#include "longbow/core/error.h"
#include "longbow/foreign/tensor_store.h"
#include "longbow/foreign/torch_file.h"

namespace longbow {

namespace {

using Kind = PickleValue::Kind;

// Tensors may share a storage, so that a small file could claim any amount of memory. Real files share it only between
// a few tied tensors.
constexpr std::size_t kLargestGrowth = 16;

bool is_row_major(const PickleTensor& tensor) {
    std::int64_t expected = 1;
    for (std::size_t i = tensor.sizes.size(); i-- > 0;) {
        if (tensor.sizes[i] != 1 && tensor.strides[i] != expected) return false;
        expected *= tensor.sizes[i];
    }
    return true;
}

class TorchTensors : public TensorFile, public std::enable_shared_from_this<TorchTensors> {
public:
    TorchTensors(TorchFile file, std::vector<PickleTensor> tensors)
        : file_(std::move(file)), tensors_(std::move(tensors)) {}
    [[nodiscard]] StoredBytes read(std::size_t index) const override {
        const auto& tensor = tensors_.at(index);
        const std::size_t element = size_of(file_.tree().storages.at(tensor.storage).dtype);
        if (element != 0 && is_row_major(tensor)) {
            const auto storage = tensor.elements() == 0 ? std::span<const std::byte>() : file_.storage(tensor.storage);
            if (storage.empty()) return {};
            return {storage.subspan(static_cast<std::size_t>(tensor.offset) * element,
                                    static_cast<std::size_t>(tensor.elements()) * element),
                    shared_from_this()};
        }
        const auto copy = std::make_shared<const std::vector<std::byte>>(file_.contiguous(tensor));
        return {*copy, copy};
    }

private:
    TorchFile file_;
    std::vector<PickleTensor> tensors_;
};

}  // namespace

std::map<std::string, ForeignTensor> open_torch_tensors(const std::filesystem::path& path) {
    auto file = TorchFile::open(path);
    const auto& tree = file.tree();
    // A state_dict by itself, or, as some trainers save it, an entry of that name.
    auto root = tree.root;
    if (const auto inner = tree.find(root, "state_dict"); inner != kNoPickle && tree[inner].kind == Kind::dict)
        root = inner;
    if (tree[root].kind != Kind::dict)
        throw CheckpointError(path.string() + ": it is not a dict of tensors, but " + tree.describe(root));
    std::map<std::string, ForeignTensor> tensors;
    std::vector<PickleTensor> views;
    double claimed = 0;
    const auto& items = tree[root].items;
    for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
        const auto &name = tree[items[i]], &value = tree[items[i + 1]];
        if (name.kind != Kind::text || value.kind != Kind::tensor) {
            throw CheckpointError(path.string() + ": it is not a dict of tensors: " + quote_foreign(name.text) +
                                  " is " + tree.describe(items[i + 1]));
        }
        const auto& tensor = tree.tensors[static_cast<std::size_t>(value.integer)];
        const auto dtype = tree.storages[tensor.storage].dtype;
        claimed += static_cast<double>(tensor.elements()) * static_cast<double>(size_of(dtype));
        tensors[name.text] = {path.string(), name_of(dtype), dtype, tensor.sizes, nullptr, views.size()};
        views.push_back(tensor);
    }
    if (claimed / static_cast<double>(kLargestGrowth) > static_cast<double>(file.size()))
        throw CheckpointError(path.string() + ": its tensors overlap so much that they claim many times its size");
    const auto source = std::make_shared<const TorchTensors>(std::move(file), std::move(views));
    for (auto& [_, tensor] : tensors) tensor.source = source;
    return tensors;
}

}  // namespace longbow
