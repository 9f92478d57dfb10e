#pragma once

#include "kernels.h"

namespace longbow::cpu {

const Kernels& chosen_kernels();

}  // namespace longbow::cpu
