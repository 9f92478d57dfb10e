#include "instruction_set.h"

namespace longbow::cpu {

const Kernels& portable_kernels() {
    static constexpr Kernels kKernels = kernels_named("portable");
    return kKernels;
}

}  // namespace longbow::cpu
