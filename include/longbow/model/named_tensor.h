// A tensor under the name by which files know it.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace longbow {

struct NamedTensor {
    std::string name;
    at::Tensor tensor;
};

}  // namespace longbow
