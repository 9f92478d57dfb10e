// The container GGUF, versions 2 and 3: metadata (keys with values) and tensors. The file may come from a stranger, so
// that no number in it makes this reader take more memory than the file has bytes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "longbow/core/files.h"
#include "longbow/foreign/tensor_store.h"

namespace longbow {

enum class GgufKind : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, text, array, u64, i64, f64 };

// Bytes of a value; 0 for texts and arrays.
std::size_t size_of_kind(GgufKind kind);
std::int64_t sign_extended(std::uint64_t bits, std::size_t bytes);

// An array of numbers or texts, still in the file.
struct GgufArray {
    GgufKind kind = GgufKind::u8;
    std::uint64_t count = 0;
    std::span<const std::byte> bytes;

    // These throw CheckpointError that begins with `where` when the array has items of another kind.
    [[nodiscard]] std::vector<std::string_view> texts(const std::string& where) const;
    [[nodiscard]] std::vector<std::int64_t> integers(const std::string& where) const;
    [[nodiscard]] std::vector<float> reals(const std::string& where) const;
};

using GgufValue = std::variant<bool, std::int64_t, std::uint64_t, double, std::string, GgufArray>;

struct GgufFile {
    std::string name;
    std::map<std::string, GgufValue> metadata;
    // Type and value of each key as in the file, and in its order.
    std::vector<std::pair<std::string, std::span<const std::byte>>> raw;
    std::shared_ptr<const void> keeper;  // of the bytes that arrays and `raw` are a part of
    TensorStore store;                   // shapes are row-major: the reverse of the file's

    // Maps and checks the file. Throws CheckpointError that names it and what is wrong.
    static GgufFile open(const std::filesystem::path& path);
    // Does the same with bytes, which `keeper` keeps alive.
    static GgufFile parse(std::span<const std::byte> bytes, const std::string& name,
                          std::shared_ptr<const void> keeper = nullptr);

    [[nodiscard]] const GgufArray* array(const std::string& key) const;
    [[nodiscard]] const std::string* text(const std::string& key) const;
    [[nodiscard]] std::optional<std::int64_t> integer(const std::string& key) const;
    [[nodiscard]] std::optional<bool> flag(const std::string& key) const;
};

struct ForeignModel;
struct ForeignRequest;

// What read_gguf_model() and read_gguf_tokenizer() return, of a file that is open.
ForeignModel model_of(GgufFile file, const ForeignRequest& request);
std::string tokenizer_of(const GgufFile& file);

}  // namespace longbow
