// Gives access to the kernels of the instruction set that was chosen at run time.
#pragma once

#include "kernels.h"

namespace longbow::cpu {

const Kernels& chosen_kernels();

}  // namespace longbow::cpu
