// Compiles the CPU kernels for AVX-512 with products of bf16 pairs; dispatch.cpp chooses them at run time.
#include "instruction_set.h"

namespace longbow::cpu {

const Kernels& avx512_bf16_kernels() {
    static constexpr Kernels kKernels = kernels_named("avx512_bf16");
    return kKernels;
}

}  // namespace longbow::cpu
