// Multiplies matrices within one warp, with one interface for the three input types: operands of 16 x 16 (A) and 16 x 8
// (B), and sums of 16 x 8 in fp32. Of each sum, a lane holds rows g and g + 8 (g = lane / 4) and columns 2 t and 2 t +
// 1 (t = lane % 4). Two neighbouring sums, rounded to the input type, are an A operand of the next product in the
// lane's own registers: P V needs no trip through shared memory.
#pragma once

#include <cstdint>

#include "device.h"

namespace longbow::cuda {

struct Bf16 {
    std::uint16_t bits;
};
struct F16 {
    std::uint16_t bits;
};

struct Lane {
    int warp, lane, g, t;
    LONGBOW_DEVICE Lane() : warp(device::thread() >> 5), lane(device::thread() & 31), g(lane >> 2), t(lane & 3) {}
};

// Rows of kDim values in shared memory, each followed by 8 unused values. The eight rows that an ldmatrix reads at once
// then lie in eight different groups of banks, whatever kDim is.
template <class T, int kDim>
struct Tile {
    static constexpr int kPitch = kDim + 8;
    static constexpr int kRowBytes = kPitch * static_cast<int>(sizeof(T));
    device::SharedAddress base;

    LONGBOW_DEVICE device::SharedAddress slot(int row, int column) const {
        return base + static_cast<std::uint32_t>(row * kRowBytes + column * static_cast<int>(sizeof(T)));
    }
    // The address for reads. It differs from slot() only in tests that plant a fault.
    LONGBOW_DEVICE device::SharedAddress at(int row, int column) const {
        const auto fault_offset =
            static_cast<std::uint32_t>(device::fault_planted(device::PlantedFault::read_pitch) ? row * 16 : 0);
        return slot(row, column) - fault_offset;
    }
};

// Products of 16-bit values. bf16 and fp16 differ only in the instruction and the rounding.
template <class T>
struct HalfProducts {
    struct A {
        std::uint32_t r[4];
    };
    struct B2 {  // two B operands: columns 0-7 and 8-15
        std::uint32_t r[2][2];
    };

    template <int kDim>
    static LONGBOW_DEVICE void load(A& a, const Tile<T, kDim>& tile, const Lane& lane, int row, int column) {
        device::load_matrices(a.r, tile.at(row + (lane.lane & 15), column + (lane.lane >> 4) * 8));
    }
    // Loads B as the transpose of the tile's rows row .. row + 15, columns column .. column + 15.
    template <int kDim>
    static LONGBOW_DEVICE void load_rows(B2& b, const Tile<T, kDim>& tile, const Lane& lane, int row, int column) {
        std::uint32_t r[4];
        device::load_matrices(
            r, tile.at(row + (lane.lane & 7) + (lane.lane >> 4) * 8, column + ((lane.lane >> 3) & 1) * 8));
        take(b, r);
    }
    // Loads B as the tile's rows row .. row + 15, columns column .. column + 15, not transposed.
    template <int kDim>
    static LONGBOW_DEVICE void load_columns(B2& b, const Tile<T, kDim>& tile, const Lane& lane, int row, int column) {
        std::uint32_t r[4];
        device::load_matrices_transposed(r, tile.at(row + (lane.lane & 15), column + (lane.lane >> 4) * 8));
        take(b, r);
    }
    static LONGBOW_DEVICE void take(B2& b, const std::uint32_t (&r)[4]) {
        b.r[0][0] = r[0], b.r[0][1] = r[1], b.r[1][0] = r[2], b.r[1][1] = r[3];
    }
};

template <class T>
struct Products;

template <>
struct Products<Bf16> : HalfProducts<Bf16> {
    static LONGBOW_DEVICE void multiply(float (&c0)[4], float (&c1)[4], const A& a, const B2& b) {
        device::mma_bf16(c0, a.r, b.r[0]);
        device::mma_bf16(c1, a.r, b.r[1]);
    }
    static LONGBOW_DEVICE void round(A& a, const float (&c0)[4], const float (&c1)[4]) {
        a.r[0] = device::pack_bf16(c0[0], c0[1]), a.r[1] = device::pack_bf16(c0[2], c0[3]);
        a.r[2] = device::pack_bf16(c1[0], c1[1]), a.r[3] = device::pack_bf16(c1[2], c1[3]);
    }
};

template <>
struct Products<F16> : HalfProducts<F16> {
    static LONGBOW_DEVICE void multiply(float (&c0)[4], float (&c1)[4], const A& a, const B2& b) {
        device::mma_f16(c0, a.r, b.r[0]);
        device::mma_f16(c1, a.r, b.r[1]);
    }
    static LONGBOW_DEVICE void round(A& a, const float (&c0)[4], const float (&c1)[4]) {
        a.r[0] = device::pack_f16(c0[0], c0[1]), a.r[1] = device::pack_f16(c0[2], c0[3]);
        a.r[2] = device::pack_f16(c1[0], c1[1]), a.r[3] = device::pack_f16(c1[2], c1[3]);
    }
};

// fp32 by three TF32 products of split factors: x = big + small, where big is x rounded to TF32 and small the rounded
// rest. About 22 bits of each factor count. Of a product of depth 8, a lane holds the depth's neighbours 2 t and 2 t +
// 1, and the instruction takes them as its k = t and k = t + 4. The order within the sum is free as long as A and B
// agree.
template <>
struct Products<float> {
    struct A {
        float r[2][4];
    };
    struct B2 {
        float r[2][2][2];  // columns 0-7 and 8-15; two halves of the depth
    };

    template <int kDim>
    static LONGBOW_DEVICE void load(A& a, const Tile<float, kDim>& tile, const Lane& lane, int row, int column) {
        LONGBOW_UNROLL
        for (int half = 0; half < 2; ++half) {
            const int at = column + half * 8 + lane.t * 2;
            device::load_shared2(a.r[half][0], a.r[half][2], tile.at(row + lane.g, at));
            device::load_shared2(a.r[half][1], a.r[half][3], tile.at(row + lane.g + 8, at));
        }
    }
    template <int kDim>
    static LONGBOW_DEVICE void load_rows(B2& b, const Tile<float, kDim>& tile, const Lane& lane, int row, int column) {
        LONGBOW_UNROLL
        for (int n = 0; n < 2; ++n) {
            LONGBOW_UNROLL
            for (int half = 0; half < 2; ++half) {
                device::load_shared2(b.r[n][half][0], b.r[n][half][1],
                                     tile.at(row + n * 8 + lane.g, column + half * 8 + lane.t * 2));
            }
        }
    }
    template <int kDim>
    static LONGBOW_DEVICE void load_columns(B2& b, const Tile<float, kDim>& tile, const Lane& lane, int row,
                                            int column) {
        LONGBOW_UNROLL
        for (int n = 0; n < 2; ++n) {
            LONGBOW_UNROLL
            for (int half = 0; half < 2; ++half) {
                b.r[n][half][0] = device::load_shared(tile.at(row + half * 8 + lane.t * 2, column + n * 8 + lane.g));
                b.r[n][half][1] =
                    device::load_shared(tile.at(row + half * 8 + lane.t * 2 + 1, column + n * 8 + lane.g));
            }
        }
    }
    template <int kCount>
    static LONGBOW_DEVICE void split(std::uint32_t (&big)[kCount], std::uint32_t (&small)[kCount],
                                     const float (&x)[kCount]) {
        LONGBOW_UNROLL
        for (int i = 0; i < kCount; ++i) {
            big[i] = device::to_tf32(x[i]);
            small[i] = device::to_tf32(x[i] - device::float_of(big[i]));
            if (device::fault_planted(device::PlantedFault::tf32_remainder)) small[i] = 0;
        }
    }
    static LONGBOW_DEVICE void multiply(float (&c0)[4], float (&c1)[4], const A& a, const B2& b) {
        LONGBOW_UNROLL
        for (int half = 0; half < 2; ++half) {
            std::uint32_t a_big[4], a_small[4];
            split(a_big, a_small, a.r[half]);
            LONGBOW_UNROLL
            for (int n = 0; n < 2; ++n) {
                float(&c)[4] = n == 0 ? c0 : c1;
                std::uint32_t b_big[2], b_small[2];
                split(b_big, b_small, b.r[n][half]);
                device::mma_tf32(c, a_small, b_big);
                device::mma_tf32(c, a_big, b_small);
                device::mma_tf32(c, a_big, b_big);
            }
        }
    }
    static LONGBOW_DEVICE void round(A& a, const float (&c0)[4], const float (&c1)[4]) {
        LONGBOW_UNROLL
        for (int half = 0; half < 2; ++half) {
            const float(&c)[4] = half == 0 ? c0 : c1;
            a.r[half][0] = c[0], a.r[half][1] = c[2], a.r[half][2] = c[1], a.r[half][3] = c[3];
        }
    }
};

// Two neighbouring values are stored to and loaded from memory at once.
LONGBOW_DEVICE void store2(Bf16* to, float low, float high) {
    *reinterpret_cast<std::uint32_t*>(to) = device::pack_bf16(low, high);
}
LONGBOW_DEVICE void store2(F16* to, float low, float high) {
    *reinterpret_cast<std::uint32_t*>(to) = device::pack_f16(low, high);
}
LONGBOW_DEVICE void store2(float* to, float low, float high) { to[0] = low, to[1] = high; }

LONGBOW_DEVICE void load2(float& low, float& high, const Bf16* from) {
    const std::uint32_t both = *reinterpret_cast<const std::uint32_t*>(from);
    low = device::float_of(both << 16);
    high = device::float_of(both & 0xFFFF0000u);
}
LONGBOW_DEVICE void load2(float& low, float& high, const F16* from) {
    const std::uint32_t both = *reinterpret_cast<const std::uint32_t*>(from);
    low = device::f16_to_float(both & 0xFFFFu);
    high = device::f16_to_float(both >> 16);
}
LONGBOW_DEVICE void load2(float& low, float& high, const float* from) { low = from[0], high = from[1]; }

}  // namespace longbow::cuda
