// The values of GGUF's metadata.
#include <algorithm>
#include <cstring>

#include "byte_reader.h"
#include "gguf_file.h"

namespace longbow {

std::size_t size_of_kind(GgufKind kind) {
    switch (kind) {
        case GgufKind::u8:
        case GgufKind::i8:
        case GgufKind::boolean: return 1;
        case GgufKind::u16:
        case GgufKind::i16: return 2;
        case GgufKind::u32:
        case GgufKind::i32:
        case GgufKind::f32: return 4;
        case GgufKind::u64:
        case GgufKind::i64:
        case GgufKind::f64: return 8;
        case GgufKind::text:
        case GgufKind::array: return 0;
    }
    return 0;
}

std::int64_t sign_extended(std::uint64_t bits, std::size_t bytes) {
    const int shift = static_cast<int>(64 - 8 * bytes);
    return static_cast<std::int64_t>(bits << shift) >> shift;
}

std::vector<std::string_view> GgufArray::texts(const std::string& where) const {
    if (kind != GgufKind::text) throw CheckpointError(where + " is not an array of texts");
    ByteReader reader(bytes, where);
    std::vector<std::string_view> texts;
    texts.reserve(static_cast<std::size_t>(count));
    for (std::uint64_t i = 0; i < count; ++i) texts.push_back(reader.take_text(reader.number(8)));
    return texts;
}

std::vector<std::int64_t> GgufArray::integers(const std::string& where) const {
    const auto size = size_of_kind(kind);
    const bool is_signed =
        kind == GgufKind::i8 || kind == GgufKind::i16 || kind == GgufKind::i32 || kind == GgufKind::i64;
    if (size == 0 || kind == GgufKind::f32 || kind == GgufKind::f64)
        throw CheckpointError(where + " is not an array of whole numbers");
    ByteReader reader(bytes, where);
    std::vector<std::int64_t> numbers;
    numbers.reserve(static_cast<std::size_t>(count));
    for (std::uint64_t i = 0; i < count; ++i) {
        const auto bits = reader.number(size);
        numbers.push_back(is_signed ? sign_extended(bits, size) : static_cast<std::int64_t>(bits));
    }
    return numbers;
}

std::vector<float> GgufArray::reals(const std::string& where) const {
    if (kind != GgufKind::f32) throw CheckpointError(where + " is not an array of numbers");
    std::vector<float> numbers(static_cast<std::size_t>(count));
    if (!numbers.empty()) std::memcpy(numbers.data(), bytes.data(), bytes.size());
    return numbers;
}

const GgufArray* GgufFile::array(const std::string& key) const {
    const auto found = metadata.find(key);
    return found == metadata.end() ? nullptr : std::get_if<GgufArray>(&found->second);
}
const std::string* GgufFile::text(const std::string& key) const {
    const auto found = metadata.find(key);
    return found == metadata.end() ? nullptr : std::get_if<std::string>(&found->second);
}
std::optional<std::int64_t> GgufFile::integer(const std::string& key) const {
    const auto found = metadata.find(key);
    if (found == metadata.end()) return std::nullopt;
    if (const auto* number = std::get_if<std::int64_t>(&found->second)) return *number;
    if (const auto* number = std::get_if<std::uint64_t>(&found->second))
        return static_cast<std::int64_t>(std::min<std::uint64_t>(*number, INT64_MAX));
    return std::nullopt;
}
std::optional<bool> GgufFile::flag(const std::string& key) const {
    const auto found = metadata.find(key);
    const auto* flag = found == metadata.end() ? nullptr : std::get_if<bool>(&found->second);
    return flag == nullptr ? std::nullopt : std::optional(*flag);
}

}  // namespace longbow
