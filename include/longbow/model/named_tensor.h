// Defines a tensor with the name that it has in files.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace longbow {

struct NamedTensor {
    std::string name;
    at::Tensor tensor;
};

}  // namespace longbow
