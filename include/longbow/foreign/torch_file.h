// Reads files of Python's torch.save without Python and without trusting their contents. It knows the zip container
// (PyTorch 1.6 and later) and the sequence of pickles that was used before. No tensor is copied: a storage's bytes are
// a part of the mapped file.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "longbow/core/files.h"
#include "longbow/foreign/pickle_tree.h"

namespace longbow {

class TorchFile {
public:
    // Opens and checks a file. Throws CheckpointError that names the file, what is wrong, and where.
    static TorchFile open(const std::filesystem::path& path);
    // Does the same with bytes, which must outlive the result. `name` stands for the file in messages.
    static TorchFile parse(std::span<const std::byte> file, const std::string& name);

    [[nodiscard]] const PickleTree& tree() const { return tree_; }
    [[nodiscard]] const std::string& name() const { return name_; }
    // Returns the size of the whole file in bytes.
    [[nodiscard]] std::size_t size() const { return size_; }
    // Returns the little-endian elements of tree().storages[index], which need not be aligned. In a zip file their
    // checksum, where there is one, is checked at the first call. Throws CheckpointError.
    [[nodiscard]] std::span<const std::byte> storage(std::size_t index) const;
    // Returns the tensor's elements in row-major order. Throws CheckpointError for an unknown element type.
    [[nodiscard]] std::vector<std::byte> contiguous(const PickleTensor& tensor) const;

private:
    struct Record {
        std::span<const std::byte> bytes;
        std::uint32_t crc = 0;  // 0: none given, or checked before
    };
    void read_zip(std::span<const std::byte> file);
    void read_legacy(std::span<const std::byte> file);

    std::string name_;
    std::size_t size_ = 0;
    PickleTree tree_;
    mutable std::vector<Record> records_;  // in the order of tree_.storages
    std::shared_ptr<const MappedFile> mapping_;
};

}  // namespace longbow
