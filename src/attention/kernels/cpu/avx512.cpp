// Compiles the CPU kernels for AVX-512 (F, BW, DQ, VL); dispatch.cpp chooses them at run time.
#include "instruction_set.h"

namespace longbow::cpu {

const Kernels& avx512_kernels() {
    static constexpr Kernels kKernels = kernels_named("avx512");
    return kKernels;
}

}  // namespace longbow::cpu
