#include "longbow/foreign/torch_file.h"

#include <fmt/core.h>

#include <cstring>

#include "byte_reader.h"
#include "longbow/core/strings.h"
#include "unpickler.h"
#include "zip_archive.h"

namespace longbow {

namespace {

using Bytes = std::span<const std::byte>;

// Files from before the zip container begin with a pickle of the integer 0x1950a86a20f9469cfc6c.
constexpr std::string_view kLegacyMagic{"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e", 15};
constexpr std::int64_t kLegacyProtocol = 1001;

std::string_view text_of(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

[[noreturn]] void refuse_big_endian(const std::string& name) {
    throw CheckpointError(name +
                          " was written on a big-endian machine: load it there and save its tensors little-endian");
}

// Copies a tensor's elements in row-major order. Rows of the last dimension that are contiguous are copied whole.
void copy_elements(const std::byte* source, const PickleTensor& tensor, std::size_t dimension, std::size_t element,
                   std::byte*& target) {
    if (dimension == tensor.sizes.size()) {
        std::memcpy(target, source, element);
        target += element;
        return;
    }
    const auto count = static_cast<std::size_t>(tensor.sizes[dimension]);
    const auto stride = static_cast<std::size_t>(tensor.strides[dimension]) * element;
    if (dimension + 1 == tensor.sizes.size() && stride == element) {
        std::memcpy(target, source, count * element);
        target += count * element;
        return;
    }
    for (std::size_t i = 0; i < count; ++i) copy_elements(source + i * stride, tensor, dimension + 1, element, target);
}

}  // namespace

TorchFile TorchFile::open(const std::filesystem::path& path) {
    std::shared_ptr<const MappedFile> mapping;
    try {
        mapping = std::make_shared<const MappedFile>(path);
    } catch (const Error& error) {
        throw CheckpointError(error.what());
    }
    TorchFile file = parse(mapping->bytes(), path.string());
    file.mapping_ = std::move(mapping);
    return file;
}

TorchFile TorchFile::parse(Bytes bytes, const std::string& name) {
    TorchFile file;
    file.name_ = name;
    file.size_ = bytes.size();
    const auto text = text_of(bytes);
    if (starts_with(text, "PK\x03\x04")) {
        file.read_zip(bytes);
    } else if (starts_with(text, kLegacyMagic)) {
        file.read_legacy(bytes);
    } else if (bytes.empty()) {
        throw CheckpointError(name + " is empty");
    } else {
        throw CheckpointError(
            name + " is not a file of torch.save: it begins neither as its zip container nor as the format before it");
    }
    return file;
}

// A single folder holds everything: FOLDER/data.pkl, FOLDER/data/<storage key>, FOLDER/byteorder.
void TorchFile::read_zip(Bytes file) {
    const auto records = read_zip_directory(file, name_);
    const std::string main = "/data.pkl";
    std::string folder;
    for (const auto& [record, _] : records) {
        if (record.find('/') + main.size() == record.size() && record.ends_with(main)) {
            if (!folder.empty())
                throw CheckpointError(name_ + " holds two checkpoints: " + quote_foreign(folder) + " and " +
                                      quote_foreign(record));
            folder = record.substr(0, record.size() - main.size());
        }
    }
    if (folder.empty())
        throw CheckpointError(name_ + " is a zip file, but torch.save did not write it: it has no record data.pkl");
    if (records.contains(folder + "/constants.pkl")) {
        throw CheckpointError(name_ +
                              " is a TorchScript program, not a checkpoint: export its state_dict with torch.save");
    }
    const auto order = records.find(folder + "/byteorder");
    if (order != records.end() && text_of(order->second.bytes) != "little") refuse_big_endian(name_);

    const auto& pickle = records.at(folder + main);
    const std::string what = name_ + ": its record " + quote_foreign(folder + main);
    check_crc(pickle.bytes, pickle.crc, what);
    ByteReader reader(pickle.bytes, what);
    tree_ = unpickle(reader);
    for (const auto& storage : tree_.storages) {
        const auto found = records.find(folder + "/data/" + storage.key);
        if (found == records.end())
            throw CheckpointError(name_ + " lacks the storage " + quote_foreign(storage.key) +
                                  " that its pickle refers to");
        const Bytes bytes = found->second.bytes;
        if (storage.dtype != PickleDtype::unknown &&
            bytes.size() != static_cast<std::uint64_t>(storage.elements) * size_of(storage.dtype)) {
            throw CheckpointError(
                fmt::format("{} is damaged: storage {} has {} bytes, its pickle claims {} elements of {}", name_,
                            quote_foreign(storage.key), bytes.size(), storage.elements, name_of(storage.dtype)));
        }
        records_.push_back({bytes, found->second.crc});
    }
}

// The file has pickles of the magic number, the protocol, facts about the writing machine, the object, and the keys of
// the storages. Then follows each storage in the order of the keys: its number of elements (int64) and its bytes.
void TorchFile::read_legacy(Bytes file) {
    ByteReader reader(file, name_);
    reader.take(kLegacyMagic.size());
    const PickleTree protocol = unpickle(reader);
    if (protocol[protocol.root].kind != PickleValue::Kind::integer ||
        protocol[protocol.root].integer != kLegacyProtocol) {
        reader.fail("its protocol is not 1001");
    }
    const PickleTree machine = unpickle(reader);
    if (!machine.boolean(machine.root, "little_endian").value_or(true)) refuse_big_endian(name_);
    tree_ = unpickle(reader);
    const PickleTree keys = unpickle(reader);
    if (keys[keys.root].kind != PickleValue::Kind::list) reader.fail("its list of storages is not a list");
    records_.resize(tree_.storages.size());
    std::vector<bool> seen(tree_.storages.size());
    for (const auto id : keys[keys.root].items) {
        const auto found = tree_.storage_by_key.find(keys[id].text);
        if (found == tree_.storage_by_key.end())
            reader.fail("a storage " + quote_foreign(keys[id].text) + " belongs to no tensor");
        const auto& storage = tree_.storages[found->second];
        if (seen[found->second]) reader.fail("the storage " + quote_foreign(storage.key) + " is listed twice");
        if (storage.dtype == PickleDtype::unknown)
            reader.fail("the storage " + quote_foreign(storage.key) + " has an unknown element type");
        if (reader.number(8) != static_cast<std::uint64_t>(storage.elements))
            reader.fail("the storage " + quote_foreign(storage.key) + " has another size");
        records_[found->second] = {reader.take(static_cast<std::uint64_t>(storage.elements) * size_of(storage.dtype)),
                                   0};
        seen[found->second] = true;
    }
    for (std::size_t i = 0; i < seen.size(); ++i) {
        if (!seen[i]) reader.fail("the storage " + quote_foreign(tree_.storages[i].key) + " is missing");
    }
}

Bytes TorchFile::storage(std::size_t index) const {
    Record& record = records_.at(index);
    if (record.crc != 0)
        check_crc(record.bytes, record.crc, name_ + ": its storage " + quote_foreign(tree_.storages[index].key));
    record.crc = 0;  // check once, since many tensors may be views of one large storage
    return record.bytes;
}

std::vector<std::byte> TorchFile::contiguous(const PickleTensor& tensor) const {
    const auto& origin = tree_.storages.at(tensor.storage);
    const std::size_t element = size_of(origin.dtype);
    if (element == 0)
        throw CheckpointError(name_ + ": storage " + quote_foreign(origin.key) +
                              " has an element type that is not known");
    std::vector<std::byte> elements(static_cast<std::size_t>(tensor.elements()) * element);
    std::byte* target = elements.data();
    if (!elements.empty())
        copy_elements(storage(tensor.storage).data() + static_cast<std::size_t>(tensor.offset) * element, tensor, 0,
                      element, target);
    return elements;
}

}  // namespace longbow
