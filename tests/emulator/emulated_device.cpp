// Implements warp-wide matrix products and number formats of the emulated device.
#include "../../src/attention/kernels/cuda/device.h"

#include <cmath>
#include <cstring>

namespace longbow::device {

namespace {

using emulator::kLanes;
using emulator::Words;

void take_from_lane(const Words (&in)[kLanes], Words (&out)[kLanes]) {
    for (int lane = 0; lane < kLanes; ++lane) out[lane].w[0] = in[in[lane].w[1] & 31].w[0];
}

float bf16_to_float(std::uint32_t low_bits) { return float_of(low_bits << 16); }

// Words 0-3 of the lanes are the matrix A, 4-5 B, 6-9 C; the results are words 0-3.
void load_sums(const Words (&in)[kLanes], float (&c)[16][8]) {
    for (int lane = 0; lane < kLanes; ++lane) {
        for (int i = 0; i < 4; ++i) c[lane / 4 + 8 * (i >> 1)][2 * (lane % 4) + (i & 1)] = float_of(in[lane].w[6 + i]);
    }
}

void store_sums(const float (&c)[16][8], Words (&out)[kLanes]) {
    for (int lane = 0; lane < kLanes; ++lane) {
        for (int i = 0; i < 4; ++i) out[lane].w[i] = bits_of(c[lane / 4 + 8 * (i >> 1)][2 * (lane % 4) + (i & 1)]);
    }
}

// A word holds two values of 16 bits, so the depth is 16.
template <class Decode>
void product16(const Words (&in)[kLanes], Words (&out)[kLanes], emulator::Factors factors, Decode decode) {
    float a[16][16], b[16][8], c[16][8];
    for (int lane = 0; lane < kLanes; ++lane) {
        const int g = lane / 4, t = lane % 4;
        for (int e = 0; e < 2; ++e) {
            for (int i = 0; i < 4; ++i)
                a[g + 8 * (i & 1)][2 * t + 8 * (i >> 1) + e] = decode(in[lane].w[i] >> (16 * e) & 0xFFFFu);
            for (int i = 0; i < 2; ++i) b[2 * t + 8 * i + e][g] = decode(in[lane].w[4 + i] >> (16 * e) & 0xFFFFu);
        }
    }
    load_sums(in, c);
    emulator::add_products(c, a, b, factors, emulator::options().sums);
    store_sums(c, out);
}

void product_bf16(const Words (&in)[kLanes], Words (&out)[kLanes]) {
    product16(in, out, emulator::Factors::bf16, bf16_to_float);
}
void product_f16(const Words (&in)[kLanes], Words (&out)[kLanes]) {
    product16(in, out, emulator::Factors::f16, f16_to_float);
}

void product_tf32(const Words (&in)[kLanes], Words (&out)[kLanes]) {
    // The hardware ignores the low bits.
    const auto decode = [](std::uint32_t bits) { return float_of(bits & ~0x1FFFu); };
    float a[16][8], b[8][8], c[16][8];
    for (int lane = 0; lane < kLanes; ++lane) {
        const int g = lane / 4, t = lane % 4;
        for (int i = 0; i < 4; ++i) a[g + 8 * (i & 1)][t + 4 * (i >> 1)] = decode(in[lane].w[i]);
        for (int i = 0; i < 2; ++i) b[t + 4 * i][g] = decode(in[lane].w[4 + i]);
    }
    load_sums(in, c);
    emulator::add_products(c, a, b, emulator::Factors::tf32, emulator::options().sums);
    store_sums(c, out);
}

void multiply(float (&c)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2], emulator::Compute compute) {
    Words input{};
    std::memcpy(&input.w[0], a, 16);
    std::memcpy(&input.w[4], b, 8);
    std::memcpy(&input.w[6], c, 16);
    const Words got = emulator::warp_collective(input, compute);
    std::memcpy(c, got.w, 16);
}

std::uint32_t round_bf16(float x) {
    if (std::isnan(x)) return 0x7FFFu;
    const std::uint32_t bits = bits_of(x);
    return (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16;
}

std::uint32_t round_f16(float x) {
    const std::uint32_t sign = bits_of(x) >> 16 & 0x8000u;
    const float size = std::fabs(x);
    if (std::isnan(x)) return 0x7FFFu;
    if (size >= 65520.0f) return sign | 0x7C00u;
    // Numbers below 2^-14 are multiples of 2^-24; larger ones have eleven significant bits.
    int exponent = 0;
    std::frexp(size, &exponent);
    const int spacing = size < 0x1p-14f ? -24 : exponent - 11;
    const auto units = static_cast<std::uint32_t>(std::nearbyint(std::ldexp(size, -spacing)));
    return sign | (size < 0x1p-14f ? units : (static_cast<std::uint32_t>(exponent + 13) << 10) + units);
}

}  // namespace

std::uint32_t shuffle_bits(std::uint32_t value, int lane) {
    Words input{};
    input.w[0] = value;
    input.w[1] = static_cast<std::uint32_t>(lane);
    return emulator::warp_collective(input, take_from_lane).w[0];
}

void mma_bf16(float (&c)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
    multiply(c, a, b, product_bf16);
}
void mma_f16(float (&c)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
    multiply(c, a, b, product_f16);
}
void mma_tf32(float (&c)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
    multiply(c, a, b, product_tf32);
}

std::uint32_t pack_bf16(float low, float high) { return round_bf16(low) | round_bf16(high) << 16; }
std::uint32_t pack_f16(float low, float high) { return round_f16(low) | round_f16(high) << 16; }

float f16_to_float(std::uint32_t low_bits) {
    const std::uint32_t exponent = low_bits >> 10 & 31u;
    const std::uint32_t units = low_bits & 0x3FFu;
    const float sign = (low_bits & 0x8000u) != 0 ? -1.0f : 1.0f;
    if (exponent == 31) return units != 0 ? float_of(0x7FC00000u) : sign * float_of(0x7F800000u);
    return sign * (exponent == 0 ? std::ldexp(static_cast<float>(units), -24)
                                 : std::ldexp(static_cast<float>(units + 1024u), static_cast<int>(exponent) - 25));
}

}  // namespace longbow::device
