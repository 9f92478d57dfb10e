// Files written by Python's torch.save, read without Python and without trusting a byte: the zip container (PyTorch 1.6 and later) and
// the sequence of pickles before it. No tensor is copied; a storage's bytes are a part of the mapped file.
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
    // Throws CheckpointError that names the file, what was wrong, and where.
    static TorchFile open(const std::filesystem::path& path);
    // The same of bytes that outlive the result; `name` stands for the file in messages.
    static TorchFile parse(std::span<const std::byte> file, const std::string& name);

    [[nodiscard]] const PickleTree& tree() const { return tree_; }
    [[nodiscard]] const std::string& name() const { return name_; }
    // Bytes of the whole file.
    [[nodiscard]] std::size_t size() const { return size_; }
    // Little-endian elements of tree().storages[index], not aligned. Zip: checked against the record's checksum, where it has one.
    [[nodiscard]] std::span<const std::byte> storage(std::size_t index) const;
    // The tensor's elements in row-major order. Throws CheckpointError for an element type that is unknown.
    [[nodiscard]] std::vector<std::byte> contiguous(const PickleTensor& tensor) const;

private:
    struct Record {
        std::span<const std::byte> bytes;
        std::uint32_t crc = 0;  // 0: not given, or checked already
    };
    void read_zip(std::span<const std::byte> file);
    void read_legacy(std::span<const std::byte> file);

    std::string name_;
    std::size_t size_ = 0;
    PickleTree tree_;
    mutable std::vector<Record> records_;  // as tree_.storages
    std::shared_ptr<const MappedFile> mapping_;
};

}  // namespace longbow
