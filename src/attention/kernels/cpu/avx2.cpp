// Compiles the CPU kernels for AVX2, FMA and F16C; dispatch.cpp chooses them at run time.
#include "instruction_set.h"

namespace longbow::cpu {

const Kernels& avx2_kernels() {
    static constexpr Kernels kKernels = kernels_named("avx2");
    return kKernels;
}

}  // namespace longbow::cpu
