// The "K" types: blocks of 256 elements in parts of 16 or 32, whose scales (and, in some, offsets) are themselves
// quantized with a half for the block. The order of the elements' bits within a block is ggml's.
#include <cstring>

#include "gguf_types.h"
#include "half.h"

namespace longbow {

namespace {

constexpr int kBlock = 256;

float half_at(const std::uint8_t* bytes) { return float_of_half(static_cast<std::uint16_t>(bytes[0] | bytes[1] << 8)); }

struct Scale {
    int scale = 0, offset = 0;  // of 6 bits
};

// The scale and offset of part `part` (of 8) of types Q4_K and Q5_K: 12 bytes hold the 16 numbers.
Scale scale_of(const std::uint8_t* packed, int part) {
    if (part < 4) return {packed[part] & 63, packed[part + 4] & 63};
    return {(packed[part + 4] & 15) | (packed[part - 4] >> 6) << 4, (packed[part + 4] >> 4) | (packed[part] >> 6) << 4};
}

}  // namespace

// scales[16] (4 bits of scale, 4 of offset), q[64], d, d of the offsets.
void dequantize_q2_k(const std::uint8_t* block, float* values) {
    const std::uint8_t *scales = block, *q = block + 16;
    const float d = half_at(block + 80), d_offset = half_at(block + 82);
    for (int half = 0; half < 2; ++half, q += 32) {
        for (int shift = 0; shift < 8; shift += 2) {
            for (int part = 0; part < 2; ++part, ++scales) {
                const float scale = d * static_cast<float>(*scales & 15),
                            offset = d_offset * static_cast<float>(*scales >> 4);
                for (int i = 0; i < 16; ++i)
                    *values++ = scale * static_cast<float>(q[16 * part + i] >> shift & 3) - offset;
            }
        }
    }
}

// high[32] (the third bits, inverted), q[64], 12 bytes of 16 scales of 6 bits, d.
void dequantize_q3_k(const std::uint8_t* block, float* values) {
    const std::uint8_t *high = block, *q = block + 32, *packed = block + 96;
    const float d = half_at(block + 108);
    int scales[16];
    for (int i = 0; i < 16; ++i) {
        const int low = i < 8 ? packed[i] & 15 : packed[i - 8] >> 4;
        scales[i] = (low | (packed[8 + i % 4] >> (2 * (i / 4)) & 3) << 4) - 32;
    }
    const int* scale = scales;
    int bit = 0;
    for (int half = 0; half < 2; ++half, q += 32) {
        for (int shift = 0; shift < 8; shift += 2, ++bit) {
            for (int part = 0; part < 2; ++part, ++scale) {
                const float of_part = d * static_cast<float>(*scale);
                for (int i = 16 * part; i < 16 * part + 16; ++i) {
                    const int value = (q[i] >> shift & 3) - ((high[i] >> bit & 1) != 0 ? 0 : 4);
                    *values++ = of_part * static_cast<float>(value);
                }
            }
        }
    }
}

// d, d of the offsets, 12 bytes of scales, q[128].
void dequantize_q4_k(const std::uint8_t* block, float* values) {
    const float d = half_at(block), d_offset = half_at(block + 2);
    const std::uint8_t *packed = block + 4, *q = block + 16;
    for (int part = 0; part < 8; ++part) {
        const auto [scale, offset] = scale_of(packed, part);
        const float of_part = d * static_cast<float>(scale), offset_of_part = d_offset * static_cast<float>(offset);
        for (int i = 0; i < 32; ++i) {
            const int value = part % 2 == 0 ? q[i] & 15 : q[i] >> 4;
            *values++ = of_part * static_cast<float>(value) - offset_of_part;
        }
        if (part % 2 == 1) q += 32;
    }
}

// d, d of the offsets, 12 bytes of scales, high[32], q[128].
void dequantize_q5_k(const std::uint8_t* block, float* values) {
    const float d = half_at(block), d_offset = half_at(block + 2);
    const std::uint8_t *packed = block + 4, *high = block + 16, *q = block + 48;
    for (int part = 0; part < 8; ++part) {
        const auto [scale, offset] = scale_of(packed, part);
        const float of_part = d * static_cast<float>(scale), offset_of_part = d_offset * static_cast<float>(offset);
        for (int i = 0; i < 32; ++i) {
            const int low = part % 2 == 0 ? q[i] & 15 : q[i] >> 4;
            *values++ = of_part * static_cast<float>(low | (high[i] >> part & 1) << 4) - offset_of_part;
        }
        if (part % 2 == 1) q += 32;
    }
}

// low[128], high[64], scales[16] (signed), d.
void dequantize_q6_k(const std::uint8_t* block, float* values) {
    const std::uint8_t *low = block, *high = block + 128, *scales = block + 192;
    const float d = half_at(block + 208);
    for (int half = 0; half < 2; ++half, low += 64, high += 32, scales += 8) {
        for (int quarter = 0; quarter < 4; ++quarter) {
            for (int i = 0; i < 32; ++i) {
                const int byte = low[i + 32 * (quarter % 2)];
                const int bits = quarter < 2 ? byte & 15 : byte >> 4;
                const int value = (bits | (high[i] >> (2 * quarter) & 3) << 4) - 32;
                const float scale = d * static_cast<float>(static_cast<std::int8_t>(scales[2 * quarter + i / 16]));
                *values++ = scale * static_cast<float>(value);
            }
        }
    }
}

// d in full precision, q[256], sums that are not needed.
void dequantize_q8_k(const std::uint8_t* block, float* values) {
    float d = 0;
    std::memcpy(&d, block, sizeof d);
    for (int i = 0; i < kBlock; ++i) values[i] = d * static_cast<float>(static_cast<std::int8_t>(block[4 + i]));
}

}  // namespace longbow
