// The bytes of a GGUF file, version 3: metadata (keys with values), the list of tensors, their elements. llama.cpp
// reads it (ggml/src/gguf.cpp); numbers are little-endian.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "longbow/core/choice.h"

namespace longbow {

// The elements of matrices.
enum class GgufWeights { fp32, fp16, bf16, q8_0 };

template <>
struct ChoiceTable<GgufWeights> {
    static constexpr Choice<GgufWeights> values[] = {
        {GgufWeights::fp32, "fp32", "F32, single precision"},
        {GgufWeights::fp16, "fp16", "F16, half precision"},
        {GgufWeights::bf16, "bf16", "BF16, bfloat16"},
        {GgufWeights::q8_0, "q8_0", "Q8_0, blocks of 32 elements of 8 bits with a scale in half precision"}};
};

// Each tensor begins at a multiple of so many bytes, counted from the first one's begin.
inline constexpr std::uint64_t kGgufAlignment = 32;

std::string_view gguf_type_label(GgufWeights weights);  // "F32"
// general.file_type of a file whose matrices have these elements.
std::int64_t gguf_file_type(GgufWeights weights);
// What a tensor is written in where the matrices have the elements `wanted`, as llama.cpp's converter does it: vectors,
// norms and tables of positions are F32, and rows that are no blocks of Q8_0 are F16. The shape is row-major.
GgufWeights gguf_weights_of(const std::string& name, const std::vector<std::int64_t>& shape, GgufWeights wanted);
// Bytes of so many elements, which are whole blocks.
std::uint64_t gguf_size(GgufWeights weights, std::int64_t elements);
// Appends values, which are whole blocks. Rounds to the nearest, ties to even for halves; Q8_0 has the bits of ggml's
// reference. Returns false where a value is not finite, or too large for the type.
bool append_gguf_values(GgufWeights weights, std::span<const float> values, std::string& bytes);

class GgufMetadata {
public:
    void text(const std::string& key, std::string_view value);
    void count(const std::string& key, std::int64_t value);  // at most 2^32 - 1
    void real(const std::string& key, double value);         // in single precision
    void flag(const std::string& key, bool value);
    void texts(const std::string& key, const std::vector<std::string>& values);
    void integers(const std::string& key, const std::vector<std::int32_t>& values);
    void reals(const std::string& key, const std::vector<float>& values);
    // Type and value as they are in a file.
    void raw(const std::string& key, std::string bytes);

    [[nodiscard]] bool has(const std::string& key) const { return places_.contains(key); }
    // Appends all keys of `other`.
    void add(const GgufMetadata& other);
    [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& entries() const { return entries_; }

private:
    std::vector<std::pair<std::string, std::string>> entries_;  // in the order of the file
    std::map<std::string, std::size_t> places_;
};

struct GgufTensorEntry {
    std::string name;
    std::vector<std::int64_t> shape;  // row-major: the file has the reverse
    GgufWeights weights = GgufWeights::fp32;
    std::uint64_t begin = 0;  // bytes, from the first tensor's begin
};

// Returns the file's begin, up to where the first tensor begins. Sets where each one does, in their order.
std::string gguf_head(const GgufMetadata& metadata, std::vector<GgufTensorEntry>& tensors);

// Returns the keys of a file with their values as they are. Throws CheckpointError.
GgufMetadata read_gguf_metadata(const std::filesystem::path& path);

}  // namespace longbow
