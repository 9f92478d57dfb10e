// Compiles the CPU kernels for the compiler's default instruction set, which every CPU of the architecture has.
#include "instruction_set.h"

namespace longbow::cpu {

const Kernels& portable_kernels() {
    static constexpr Kernels kKernels = kernels_named("portable");
    return kKernels;
}

}  // namespace longbow::cpu
