// Blocks of 32 elements of 4, 5 or 8 bits. x_i = d q_i + m: with the types _0, m is d times a constant; with _1, it is
// in the block. d and m are halves. The low halves of the 16 bytes are the first 16 elements.
#include <cstring>

#include "gguf_types.h"
#include "half.h"

namespace longbow {

namespace {

constexpr int kHalf = 16;  // elements

float half_at(const std::uint8_t* bytes) { return float_of_half(static_cast<std::uint16_t>(bytes[0] | bytes[1] << 8)); }

std::uint32_t word_at(const std::uint8_t* bytes) {
    return static_cast<std::uint32_t>(bytes[0]) | static_cast<std::uint32_t>(bytes[1]) << 8 |
           static_cast<std::uint32_t>(bytes[2]) << 16 | static_cast<std::uint32_t>(bytes[3]) << 24;
}

}  // namespace

void dequantize_q4_0(const std::uint8_t* block, float* values) {
    const float d = half_at(block);
    const std::uint8_t* q = block + 2;
    for (int i = 0; i < kHalf; ++i) {
        values[i] = d * static_cast<float>((q[i] & 15) - 8);
        values[i + kHalf] = d * static_cast<float>((q[i] >> 4) - 8);
    }
}

void dequantize_q4_1(const std::uint8_t* block, float* values) {
    const float d = half_at(block), m = half_at(block + 2);
    const std::uint8_t* q = block + 4;
    for (int i = 0; i < kHalf; ++i) {
        values[i] = d * static_cast<float>(q[i] & 15) + m;
        values[i + kHalf] = d * static_cast<float>(q[i] >> 4) + m;
    }
}

// The fifth bits of the 32 elements are in a word.
void dequantize_q5_0(const std::uint8_t* block, float* values) {
    const float d = half_at(block);
    const std::uint32_t high = word_at(block + 2);
    const std::uint8_t* q = block + 6;
    for (int i = 0; i < kHalf; ++i) {
        const int first = (q[i] & 15) | static_cast<int>(high >> i & 1) << 4;
        const int second = (q[i] >> 4) | static_cast<int>(high >> (i + kHalf) & 1) << 4;
        values[i] = d * static_cast<float>(first - 16);
        values[i + kHalf] = d * static_cast<float>(second - 16);
    }
}

void dequantize_q5_1(const std::uint8_t* block, float* values) {
    const float d = half_at(block), m = half_at(block + 2);
    const std::uint32_t high = word_at(block + 4);
    const std::uint8_t* q = block + 8;
    for (int i = 0; i < kHalf; ++i) {
        const int first = (q[i] & 15) | static_cast<int>(high >> i & 1) << 4;
        const int second = (q[i] >> 4) | static_cast<int>(high >> (i + kHalf) & 1) << 4;
        values[i] = d * static_cast<float>(first) + m;
        values[i + kHalf] = d * static_cast<float>(second) + m;
    }
}

void dequantize_q8_0(const std::uint8_t* block, float* values) {
    const float d = half_at(block);
    for (int i = 0; i < 2 * kHalf; ++i) values[i] = d * static_cast<float>(static_cast<std::int8_t>(block[2 + i]));
}

}  // namespace longbow
