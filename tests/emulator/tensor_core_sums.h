// Adds as tensor cores do. They compute products exactly, shift all terms of a sum to the exponent of the largest,
// truncate them there, add, and truncate the sum to fp32: nothing is rounded to nearest. NVIDIA does not document this.
// It was found by experiments on the GPUs:
//   Fasi, Higham, Mikaitis, Pranesh, "Numerical behavior of NVIDIA tensor cores", PeerJ Computer Science 7:e330, 2021
//   Khattak, Mikaitis, "Accurate Models of NVIDIA Tensor Cores", arXiv:2512.07004, 2025
//   Xie et al., "MMA-Sim: Bit-Accurate Reference Model of Tensor Cores and Matrix Cores", arXiv:2511.10909
#pragma once

#include <cstdint>

namespace emulator {

struct SumModel {
    int extra_bits;  // that a term keeps below the last bit of an fp32 number with the exponent of the largest term
    int groups;      // an instruction adds its products in so many groups, one after the other to the sum so far
};
constexpr SumModel kAmpereSums{1, 2};  // compute capability 8.0, 8.6 and 8.9
constexpr SumModel kHopperSums{2, 1};  // 9.0, 10.0 and 12.0

enum class Factors { bf16, f16, tf32 };

// c += a b with a [16, depth], b [depth, 8], depth 8 (tf32) or 16. The factors are given as the fp32 numbers that equal
// them.
template <int kDepth>
void add_products(float (&c)[16][8], const float (&a)[16][kDepth], const float (&b)[kDepth][8], Factors factors,
                  SumModel model);

extern template void add_products(float (&)[16][8], const float (&)[16][8], const float (&)[8][8], Factors, SumModel);
extern template void add_products(float (&)[16][8], const float (&)[16][16], const float (&)[16][8], Factors, SumModel);

}  // namespace emulator
