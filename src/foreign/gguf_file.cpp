#include "gguf_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>

#include "byte_reader.h"
#include "gguf_types.h"
#include "longbow/core/error.h"

namespace longbow {

namespace {

constexpr std::uint64_t kMostKeys = 65536, kMostTensors = 65536, kLongestKey = 65535, kMostDimensions = 4;
constexpr std::uint64_t kLargestAlignment = 1 << 20;
constexpr std::uint64_t kDefaultAlignment = 32;

// A float that was written from a decimal number is that number: 1e-05, not 9.99999975e-06.
double decimal_of(float value) {
    char digits[64];
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    double read = static_cast<double>(value);
    std::from_chars(digits, end, read);
    return read;
}

class Parser {
public:
    Parser(std::span<const std::byte> bytes, GgufFile& file, std::shared_ptr<const void> keeper)
        : bytes_(bytes), reader_(bytes, file.name), file_(file), keeper_(std::move(keeper)) {}

    void parse();

private:
    struct Entry {
        std::string name;
        std::vector<std::int64_t> shape;
        const GgufType* type = nullptr;
        std::uint64_t begin = 0, size = 0;  // bytes, from the data's begin
    };

    std::string_view text() {
        const auto length = reader_.number(8);
        return reader_.take_text(length);
    }
    GgufKind kind() {
        const auto number = reader_.number(4);
        if (number > static_cast<std::uint64_t>(GgufKind::f64))
            reader_.fail(fmt::format("a value has the unknown type {}", number));
        return static_cast<GgufKind>(number);
    }
    GgufValue value(GgufKind kind);
    GgufArray array();
    Entry tensor();
    void place(std::vector<Entry> entries, std::uint64_t alignment);

    std::span<const std::byte> bytes_;
    ByteReader reader_;
    GgufFile& file_;
    std::shared_ptr<const void> keeper_;
};

GgufValue Parser::value(GgufKind kind) {
    const auto size = size_of_kind(kind);
    switch (kind) {
        case GgufKind::text: return std::string(text());
        case GgufKind::array: return array();
        case GgufKind::boolean: return reader_.byte() != 0;
        case GgufKind::f32: return decimal_of(std::bit_cast<float>(static_cast<std::uint32_t>(reader_.number(4))));
        case GgufKind::f64: return std::bit_cast<double>(reader_.number(8));
        case GgufKind::u64: return reader_.number(8);
        case GgufKind::u8:
        case GgufKind::u16:
        case GgufKind::u32: return static_cast<std::int64_t>(reader_.number(size));
        case GgufKind::i8:
        case GgufKind::i16:
        case GgufKind::i32:
        case GgufKind::i64: return sign_extended(reader_.number(size), size);
    }
    return false;  // no kind is left
}

GgufArray Parser::array() {
    GgufArray array;
    array.kind = kind();
    array.count = reader_.number(8);
    if (array.kind == GgufKind::array) reader_.fail("an array of arrays, which no model has");
    const auto begin = reader_.position();
    if (array.kind == GgufKind::text) {
        if (array.count > reader_.left() / 8) reader_.fail("an array claims more texts than the file can have");
        for (std::uint64_t i = 0; i < array.count; ++i) text();
    } else {
        const auto size = size_of_kind(array.kind);
        if (array.count > reader_.left() / size) reader_.fail("an array claims more items than the file can have");
        reader_.take(array.count * size);
    }
    array.bytes = bytes_.subspan(begin, reader_.position() - begin);
    return array;
}

Parser::Entry Parser::tensor() {
    Entry entry;
    const auto length = reader_.number(8);
    if (length > kLongestKey) reader_.fail("a tensor's name is too long");
    entry.name = std::string(reader_.take_text(length));
    const std::string where = "tensor " + quote_foreign(entry.name);
    const auto dimensions = reader_.number(4);
    if (dimensions < 1 || dimensions > kMostDimensions)
        reader_.fail(where + fmt::format(" has {} dimensions", dimensions));
    std::int64_t elements = 1;
    for (std::uint64_t i = 0; i < dimensions; ++i) {
        const auto size = reader_.number(8);
        if (size < 1 || size > static_cast<std::uint64_t>(INT64_MAX) ||
            __builtin_mul_overflow(elements, static_cast<std::int64_t>(size), &elements))
            reader_.fail(where + " has an impossible size");
        entry.shape.insert(entry.shape.begin(), static_cast<std::int64_t>(size));
    }
    const auto number = static_cast<std::uint32_t>(reader_.number(4));
    entry.type = gguf_type(number);
    if (entry.type == nullptr)
        throw CheckpointError(file_.name + ": " + where + " has elements of type " + gguf_type_name(number) +
                              ", which is not read; take a file with one of F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, "
                              "Q5_1, Q2_K to Q6_K");
    if (entry.shape.back() % entry.type->elements != 0)
        reader_.fail(where + fmt::format(" has rows of {} elements, which are no blocks of {}", entry.shape.back(),
                                         entry.type->name));
    std::int64_t size = 0;
    if (__builtin_mul_overflow(elements / entry.type->elements, entry.type->bytes, &size))
        reader_.fail(where + " has an impossible size");
    entry.size = static_cast<std::uint64_t>(size);
    entry.begin = reader_.number(8);
    return entry;
}

class GgufTensors : public TensorFile {
public:
    struct Place {
        std::span<const std::byte> bytes;
        const GgufType* type;
    };
    GgufTensors(std::vector<Place> places, std::shared_ptr<const void> keeper)
        : places_(std::move(places)), keeper_(std::move(keeper)) {}
    [[nodiscard]] StoredBytes read(std::size_t index) const override {
        const auto& [bytes, type] = places_.at(index);
        if (type->dequantize == nullptr) return {bytes, keeper_};
        const auto blocks = bytes.size() / static_cast<std::size_t>(type->bytes);
        const auto values = std::make_shared<std::vector<float>>(blocks * static_cast<std::size_t>(type->elements));
        const auto* block = reinterpret_cast<const std::uint8_t*>(bytes.data());
        for (std::size_t i = 0; i < blocks; ++i) {
            type->dequantize(block + i * static_cast<std::size_t>(type->bytes),
                             values->data() + i * static_cast<std::size_t>(type->elements));
        }
        return {std::as_bytes(std::span(*values)), values};
    }

private:
    std::vector<Place> places_;
    std::shared_ptr<const void> keeper_;
};

void Parser::place(std::vector<Entry> entries, std::uint64_t alignment) {
    const auto rest = reader_.position() % alignment;
    if (rest != 0 && !entries.empty()) reader_.take(alignment - rest);
    const auto data = bytes_.subspan(std::min(reader_.position(), bytes_.size()));
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.begin < b.begin; });
    std::vector<GgufTensors::Place> places;
    std::uint64_t end = 0;
    for (const auto& entry : entries) {
        const std::string where = file_.name + ": tensor " + quote_foreign(entry.name);
        if (entry.begin > data.size() || entry.size > data.size() - entry.begin)
            throw CheckpointError(where + " lies beyond the end of the file: it is cut short, or damaged");
        if (entry.begin < end) throw CheckpointError(where + " overlaps another: the file is damaged");
        end = entry.begin + entry.size;
        places.push_back(
            {data.subspan(static_cast<std::size_t>(entry.begin), static_cast<std::size_t>(entry.size)), entry.type});
    }
    const auto source = std::make_shared<const GgufTensors>(std::move(places), keeper_);
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const auto& entry = entries[i];
        const bool added = file_.store.tensors
                               .emplace(entry.name, ForeignTensor{file_.name, entry.type->name, entry.type->dtype,
                                                                  entry.shape, source, i})
                               .second;
        if (!added) throw CheckpointError(file_.name + ": it has the tensor " + quote_foreign(entry.name) + " twice");
    }
}

void Parser::parse() {
    if (reader_.left() < 4 || reader_.take_text(4) != "GGUF")
        throw CheckpointError(file_.name + " is not a GGUF file: it does not begin with GGUF");
    const auto version = reader_.number(4);
    if (version != 2 && version != 3) {
        throw CheckpointError(file_.name +
                              (version > 0xffff
                                   ? std::string(": it was written on a big-endian machine")
                                   : fmt::format(": it has GGUF version {}, and 2 and 3 are read", version)) +
                              "; convert it again");
    }
    const auto tensors = reader_.number(8), keys = reader_.number(8);
    if (tensors > kMostTensors || keys > kMostKeys) reader_.fail("it claims more tensors or keys than any model has");
    for (std::uint64_t i = 0; i < keys; ++i) {
        const auto length = reader_.number(8);
        if (length > kLongestKey) reader_.fail("a key is too long");
        const std::string key(reader_.take_text(length));
        const auto begin = reader_.position();
        const auto of_value = kind();
        if (!file_.metadata.emplace(key, value(of_value)).second)
            reader_.fail("it has the key " + quote_foreign(key) + " twice");
        file_.raw.emplace_back(key, bytes_.subspan(begin, reader_.position() - begin));
    }
    std::uint64_t alignment = kDefaultAlignment;
    if (const auto given = file_.integer("general.alignment")) {
        if (*given < 1 || static_cast<std::uint64_t>(*given) > kLargestAlignment)
            reader_.fail("general.alignment is out of range");
        alignment = static_cast<std::uint64_t>(*given);
    }
    std::vector<Entry> entries;
    for (std::uint64_t i = 0; i < tensors; ++i) entries.push_back(tensor());
    place(std::move(entries), alignment);
}

}  // namespace

GgufFile GgufFile::parse(std::span<const std::byte> bytes, const std::string& name,
                         std::shared_ptr<const void> keeper) {
    GgufFile file;
    file.keeper = keeper;
    file.name = name;
    file.store.name = name;
    file.store.format = "gguf";
    Parser(bytes, file, std::move(keeper)).parse();
    return file;
}

GgufFile GgufFile::open(const fs::path& path) {
    std::shared_ptr<const MappedFile> mapping;
    try {
        mapping = std::make_shared<const MappedFile>(path);
    } catch (const Error& error) {
        throw CheckpointError(error.what());
    }
    auto file = parse(mapping->bytes(), path.string(), mapping);
    file.store.files = {path.filename().string()};
    return file;
}

}  // namespace longbow
