// libFuzzer target: any bytes are a file of torch.save, a pickle, or a CheckpointError; if they are a file, it is a
// fairseq model or a CheckpointError. The first byte chooses: 0 a whole file, 1 one pickle, so that mutations reach the
// pickle machine without a valid zip file around it.
#include <cstdlib>

#include "foreign/unpickler.h"
#include "longbow/core/error.h"
#include "longbow/foreign/fairseq_model.h"

namespace {

using Bytes = std::span<const std::byte>;

void read_file_of(Bytes bytes) {
    const auto file = longbow::TorchFile::parse(bytes, "fuzz");
    const auto& tree = file.tree();
    for (const auto& tensor : tree.tensors) {
        const auto element = longbow::size_of(tree.storages[tensor.storage].dtype);
        if (element == 0 || static_cast<std::size_t>(tensor.elements()) * element > 1 << 20) continue;
        if (file.contiguous(tensor).size() != static_cast<std::size_t>(tensor.elements()) * element) std::abort();
    }
    for (const auto& position : longbow::fairseq_positions()) {
        try {
            std::size_t elements = 0;
            for (const auto& tensor : longbow::read_fairseq_model(file, position).tensors)
                elements += file.contiguous(tensor.tensor).size();
            if (elements > 64 * bytes.size()) std::abort();
        } catch (const longbow::CheckpointError&) {
        }
    }
}

void read_pickle_of(Bytes bytes) {
    longbow::ByteReader reader(bytes, "fuzz");
    longbow::PickleLimits limits;
    limits.values = 1 << 16;
    const auto tree = longbow::unpickle(reader, limits);
    for (longbow::PickleId id = 0; id < tree.values.size(); ++id) {
        for (const auto item : tree[id].items) {
            if (item >= tree.values.size()) std::abort();
        }
        (void)tree.find(id, "model");
        (void)tree.describe(id);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    if (size == 0) return 0;
    const auto bytes = std::as_bytes(std::span(data + 1, size - 1));
    try {
        data[0] % 2 == 0 ? read_file_of(bytes) : read_pickle_of(bytes);
    } catch (const longbow::CheckpointError&) {
    }
    return 0;
}
