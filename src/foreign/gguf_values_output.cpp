// The elements of tensors that are written. Functions that round have the bits of ggml's (ggml/src/ggml-quants.c,
// quantize_row_q8_0_ref()).
#include <algorithm>
#include <bit>
#include <cmath>

#include "gguf_types.h"
#include "half.h"
#include "longbow/foreign/gguf_output.h"

namespace longbow {

namespace {

constexpr std::size_t kBlock = 32;  // elements of Q8_0
constexpr float kLargestLevel = 127.0f;
constexpr std::uint16_t kHalfInfinity = 0x7c00;

void append_two_bytes(std::string& bytes, std::uint16_t number) {
    bytes += static_cast<char>(number & 0xffu);
    bytes += static_cast<char>(number >> 8);
}

bool append_half(float value, std::string& bytes) {
    const auto half = half_of_float(value);
    append_two_bytes(bytes, half);
    return (half & kHalfInfinity) != kHalfInfinity;
}

bool append_bfloat16(float value, std::string& bytes) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const auto rounded = std::isnan(value) ? bits | 0x400000u : bits + 0x7fffu + (bits >> 16 & 1u);
    append_two_bytes(bytes, static_cast<std::uint16_t>(rounded >> 16));
    return (rounded & 0x7f800000u) != 0x7f800000u;
}

// A block is its scale d and levels q with x = d q. The levels are computed with the scale before it is rounded.
bool append_q8_0(const float* values, std::string& bytes) {
    float largest = 0.0f;
    bool finite = true;
    for (std::size_t i = 0; i < kBlock; ++i) {
        largest = std::max(largest, std::abs(values[i]));
        finite = finite && std::isfinite(values[i]);
    }
    const float scale = largest / kLargestLevel;
    float inverse = scale != 0.0f ? 1.0f / scale : 0.0f;
    if (!std::isfinite(inverse)) inverse = 0.0f;  // the scale is 0 as a half
    finite = append_half(scale, bytes) && finite;
    for (std::size_t i = 0; i < kBlock; ++i) {
        const float level = finite ? std::round(values[i] * inverse) : 0.0f;
        bytes += static_cast<char>(static_cast<std::int8_t>(level));
    }
    return finite;
}

}  // namespace

std::uint32_t gguf_type_number(GgufWeights weights) {
    switch (weights) {
        case GgufWeights::fp32: return 0;
        case GgufWeights::fp16: return 1;
        case GgufWeights::bf16: return 30;
        case GgufWeights::q8_0: return 8;
    }
    return 0;
}

std::string_view gguf_type_label(GgufWeights weights) { return gguf_type(gguf_type_number(weights))->name; }

std::int64_t gguf_file_type(GgufWeights weights) {
    switch (weights) {
        case GgufWeights::fp32: return 0;
        case GgufWeights::fp16: return 1;
        case GgufWeights::bf16: return 32;
        case GgufWeights::q8_0: return 7;
    }
    return 0;
}

GgufWeights gguf_weights_of(const std::string& name, const std::vector<std::int64_t>& shape, GgufWeights wanted) {
    const bool table = name == "position_embd.weight" || name.ends_with("_norm.weight");
    if (shape.size() < 2 || table) return GgufWeights::fp32;
    const bool blocks = shape.back() % gguf_type(gguf_type_number(wanted))->elements == 0;
    return blocks ? wanted : GgufWeights::fp16;
}

std::uint64_t gguf_size(GgufWeights weights, std::int64_t elements) {
    const auto* type = gguf_type(gguf_type_number(weights));
    return static_cast<std::uint64_t>(elements / type->elements * type->bytes);
}

bool append_gguf_values(GgufWeights weights, std::span<const float> values, std::string& bytes) {
    bool finite = true;
    bytes.reserve(bytes.size() + gguf_size(weights, static_cast<std::int64_t>(values.size())));
    switch (weights) {
        case GgufWeights::fp32:
            for (const float value : values) finite = finite && std::isfinite(value);
            bytes.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
            return finite;
        case GgufWeights::fp16:
            for (const float value : values) finite = append_half(value, bytes) && finite;
            return finite;
        case GgufWeights::bf16:
            for (const float value : values) finite = append_bfloat16(value, bytes) && finite;
            return finite;
        case GgufWeights::q8_0:
            for (std::size_t i = 0; i + kBlock <= values.size(); i += kBlock)
                finite = append_q8_0(values.data() + i, bytes) && finite;
            return finite;
    }
    return finite;
}

}  // namespace longbow
