// The file may come from a stranger, so that each number is checked before it is used, sums and products against
// overflow.
#include "longbow/core/safetensors_header.h"

#include <algorithm>
#include <set>

#include "longbow/core/error.h"
#include "longbow/core/json.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

constexpr std::uint64_t kAlignment = 64;
constexpr std::uint64_t kLengthBytes = 8;
// This limit is the reference implementation's.
constexpr std::uint64_t kMaxHeader = 100'000'000;
constexpr std::size_t kMaxDims = 64;
constexpr std::string_view kFiller = "longbow.filler.";

[[noreturn]] void damaged(const std::string& name, const std::string& what) {
    throw CheckpointError(name + " is not a complete safetensors file: " + what);
}

// Quotes a key for a message, shortened, since a foreign key can be long.
std::string shown(const std::string& key) { return "\"" + (key.size() <= 80 ? key : key.substr(0, 77) + "...") + "\""; }

std::uint64_t unsigned_number(const Json& value, const std::string& file, const std::string& where) {
    if (!value.is_number_unsigned()) damaged(file, where + " may contain only whole numbers >= 0");
    return value.get<std::uint64_t>();
}

// Parses the header and detects duplicate tensor names, which the JSON library accepts silently.
Json parse_json(std::string_view text, const std::string& file) {
    // The library takes a NUL for the end of its text, so what follows one would be passed over.
    if (text.find('\0') != std::string_view::npos) damaged(file, "its header is not JSON");
    std::set<std::string> names;
    bool duplicate = false;
    const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
        if (depth == 1 && event == Json::parse_event_t::key)
            duplicate |= !names.insert(parsed.get<std::string>()).second;
        return true;
    };
    Json json;
    try {
        json = Json::parse(text, watch);
    } catch (const Json::exception&) {
        damaged(file, "its header is not JSON");
    }
    if (duplicate) damaged(file, "its header names a tensor twice");
    if (!json.is_object()) damaged(file, "its header is not a JSON object");
    return json;
}

SafetensorsEntry parse_entry(const std::string& key, const Json& value, std::uint64_t data_size,
                             const std::string& file) {
    const std::string where = "tensor " + shown(key);
    if (!value.is_object() || !value.contains("dtype") || !value.contains("shape") || !value.contains("data_offsets")) {
        damaged(file, where + " lacks dtype, shape or data_offsets");
    }
    SafetensorsEntry entry;
    entry.name = key;
    if (!value["dtype"].is_string()) damaged(file, where + " has a dtype that is not a text");
    entry.dtype = value["dtype"].get<std::string>();
    const std::uint64_t element = safetensors_dtype_size(entry.dtype);
    if (element == 0)
        damaged(file, where + " has the dtype " + shown(entry.dtype) + ", which this program does not know");
    const Json& shape = value["shape"];
    if (!shape.is_array() || shape.size() > kMaxDims) damaged(file, where + " has a shape that is not a short list");
    std::uint64_t bytes = element;
    for (const auto& dim : shape) {
        const std::uint64_t size = unsigned_number(dim, file, where + "'s shape");
        if (size > static_cast<std::uint64_t>(INT64_MAX)) damaged(file, where + " is too large");
        entry.shape.push_back(static_cast<std::int64_t>(size));
        if (__builtin_mul_overflow(bytes, size, &bytes)) damaged(file, where + " is too large");
    }
    const Json& offsets = value["data_offsets"];
    if (!offsets.is_array() || offsets.size() != 2) damaged(file, where + " has data_offsets that are not a pair");
    entry.begin = unsigned_number(offsets[0], file, where + "'s data_offsets");
    entry.end = unsigned_number(offsets[1], file, where + "'s data_offsets");
    if (entry.begin > entry.end || entry.end > data_size)
        damaged(file, where + " lies outside the file (is it cut short?)");
    if (entry.end - entry.begin != bytes) damaged(file, where + " has a shape that does not fit its bytes");
    return entry;
}

void check_layout(const std::vector<SafetensorsEntry>& entries, std::uint64_t data_size, const std::string& file) {
    std::uint64_t expected = 0;
    for (const auto& entry : entries) {
        if (entry.begin != expected)
            damaged(file,
                    "tensor " + shown(entry.name) + (entry.begin < expected ? " overlaps another" : " follows a gap"));
        expected = entry.end;
    }
    if (expected != data_size) damaged(file, "its tensors end before the file does");
}

}  // namespace

std::size_t safetensors_dtype_size(std::string_view dtype) {
    static const std::map<std::string_view, std::size_t> sizes = {{"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2},
                                                                  {"I64", 8}, {"I32", 4}, {"I16", 2}, {"I8", 1},
                                                                  {"U8", 1},  {"BOOL", 1}};
    const auto found = sizes.find(dtype);
    return found == sizes.end() ? 0 : found->second;
}

SafetensorsHeader parse_safetensors_header(std::span<const std::byte> file, const std::string& name) {
    if (file.size() < kLengthBytes) damaged(name, "it is shorter than the 8 bytes of a header's length");
    std::uint64_t length = 0;
    for (std::size_t i = 0; i < kLengthBytes; ++i) length |= static_cast<std::uint64_t>(file[i]) << (8 * i);
    if (length > kMaxHeader || length > file.size() - kLengthBytes)
        damaged(name, "its header length is larger than the file");
    const std::uint64_t data_size = file.size() - kLengthBytes - length;

    const Json json =
        parse_json({reinterpret_cast<const char*>(file.data()) + kLengthBytes, static_cast<std::size_t>(length)}, name);
    SafetensorsHeader header;
    header.data_begin = kLengthBytes + length;
    for (const auto& [key, value] : json.items()) {
        if (key == "__metadata__") {
            if (!value.is_object()) damaged(name, "__metadata__ is not an object");
            for (const auto& [meta, text] : value.items()) {
                if (!text.is_string()) damaged(name, "__metadata__ has a value that is not a text");
                header.metadata[meta] = text.get<std::string>();
            }
            continue;
        }
        header.tensors.push_back(parse_entry(key, value, data_size, name));
    }
    std::sort(header.tensors.begin(), header.tensors.end(),
              [](const auto& a, const auto& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
    check_layout(header.tensors, data_size, name);
    std::erase_if(header.tensors, [](const auto& entry) { return starts_with(entry.name, kFiller); });
    return header;
}

std::string build_safetensors_header(SafetensorsHeader& header, bool with_fillers) {
    Json json = Json::object();
    if (!header.metadata.empty()) json["__metadata__"] = header.metadata;
    const auto add = [&](const std::string& name, const std::string& dtype, const std::vector<std::int64_t>& shape,
                         std::uint64_t begin, std::uint64_t end) {
        json[name] = {{"dtype", dtype}, {"shape", shape}, {"data_offsets", {begin, end}}};
    };
    std::uint64_t position = 0;
    int fillers = 0;
    for (auto& entry : header.tensors) {
        if (const std::uint64_t rest = position % kAlignment; rest != 0 && with_fillers) {
            const std::uint64_t filler = kAlignment - rest;
            add(std::string(kFiller) + std::to_string(fillers++), "U8", {static_cast<std::int64_t>(filler)}, position,
                position + filler);
            position += filler;
        }
        std::uint64_t bytes = safetensors_dtype_size(entry.dtype);
        for (const auto dim : entry.shape) bytes *= static_cast<std::uint64_t>(dim);
        entry.begin = position;
        entry.end = position + bytes;
        position = entry.end;
        add(entry.name, entry.dtype, entry.shape, entry.begin, entry.end);
    }
    std::string text = json.dump();
    text.resize((text.size() + kLengthBytes + kAlignment - 1) / kAlignment * kAlignment - kLengthBytes, ' ');
    header.data_begin = kLengthBytes + text.size();
    std::string bytes(kLengthBytes, '\0');
    for (std::size_t i = 0; i < kLengthBytes; ++i) bytes[i] = static_cast<char>(text.size() >> (8 * i) & 0xff);
    return bytes + text;
}

}  // namespace longbow
