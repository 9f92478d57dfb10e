#include "longbow/foreign/gguf_output.h"

#include <bit>

#include "gguf_file.h"
#include "gguf_types.h"

namespace longbow {

namespace {

constexpr std::uint32_t kVersion = 3;

void append_number(std::string& bytes, std::uint64_t number, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(number >> (8 * i) & 0xffu);
}

void append_text(std::string& bytes, std::string_view text) {
    append_number(bytes, text.size(), 8);
    bytes += text;
}

std::string value_of(GgufKind kind, std::uint64_t bits) {
    std::string bytes;
    append_number(bytes, static_cast<std::uint64_t>(kind), 4);
    append_number(bytes, bits, size_of_kind(kind));
    return bytes;
}

std::string array_of(GgufKind kind, std::size_t count) {
    std::string bytes;
    append_number(bytes, static_cast<std::uint64_t>(GgufKind::array), 4);
    append_number(bytes, static_cast<std::uint64_t>(kind), 4);
    append_number(bytes, count, 8);
    return bytes;
}

std::uint64_t aligned(std::uint64_t position) {
    return (position + kGgufAlignment - 1) / kGgufAlignment * kGgufAlignment;
}

}  // namespace

void GgufMetadata::raw(const std::string& key, std::string bytes) {
    const auto [place, added] = places_.emplace(key, entries_.size());
    if (added) {
        entries_.emplace_back(key, std::move(bytes));
    } else {
        entries_[place->second].second = std::move(bytes);
    }
}

void GgufMetadata::text(const std::string& key, std::string_view value) {
    std::string bytes;
    append_number(bytes, static_cast<std::uint64_t>(GgufKind::text), 4);
    append_text(bytes, value);
    raw(key, std::move(bytes));
}

void GgufMetadata::count(const std::string& key, std::int64_t value) {
    raw(key, value_of(GgufKind::u32, static_cast<std::uint64_t>(value)));
}

void GgufMetadata::real(const std::string& key, double value) {
    raw(key, value_of(GgufKind::f32, std::bit_cast<std::uint32_t>(static_cast<float>(value))));
}

void GgufMetadata::flag(const std::string& key, bool value) { raw(key, value_of(GgufKind::boolean, value ? 1 : 0)); }

void GgufMetadata::texts(const std::string& key, const std::vector<std::string>& values) {
    auto bytes = array_of(GgufKind::text, values.size());
    for (const auto& value : values) append_text(bytes, value);
    raw(key, std::move(bytes));
}

void GgufMetadata::integers(const std::string& key, const std::vector<std::int32_t>& values) {
    auto bytes = array_of(GgufKind::i32, values.size());
    for (const auto value : values) append_number(bytes, static_cast<std::uint32_t>(value), 4);
    raw(key, std::move(bytes));
}

void GgufMetadata::reals(const std::string& key, const std::vector<float>& values) {
    auto bytes = array_of(GgufKind::f32, values.size());
    for (const auto value : values) append_number(bytes, std::bit_cast<std::uint32_t>(value), 4);
    raw(key, std::move(bytes));
}

void GgufMetadata::add(const GgufMetadata& other) {
    for (const auto& [key, bytes] : other.entries()) raw(key, bytes);
}

std::string gguf_head(const GgufMetadata& metadata, std::vector<GgufTensorEntry>& tensors) {
    std::string bytes = "GGUF";
    append_number(bytes, kVersion, 4);
    append_number(bytes, tensors.size(), 8);
    append_number(bytes, metadata.entries().size(), 8);
    for (const auto& [key, value] : metadata.entries()) {
        append_text(bytes, key);
        bytes += value;
    }
    std::uint64_t begin = 0;
    for (auto& tensor : tensors) {
        append_text(bytes, tensor.name);
        append_number(bytes, tensor.shape.size(), 4);
        std::int64_t elements = 1;
        for (auto size = tensor.shape.rbegin(); size != tensor.shape.rend(); ++size) {
            append_number(bytes, static_cast<std::uint64_t>(*size), 8);
            elements *= *size;
        }
        append_number(bytes, gguf_type_number(tensor.weights), 4);
        tensor.begin = begin;
        append_number(bytes, begin, 8);
        begin = aligned(begin + gguf_size(tensor.weights, elements));
    }
    bytes.resize(aligned(bytes.size()), '\0');
    return bytes;
}

GgufMetadata read_gguf_metadata(const std::filesystem::path& path) {
    const auto file = GgufFile::open(path);
    GgufMetadata metadata;
    for (const auto& [key, bytes] : file.raw)
        metadata.raw(key, std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
    return metadata;
}

}  // namespace longbow
