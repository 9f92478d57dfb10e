// Defines a part of a tensor. Several files may hold the parts of one tensor, as ranks with dist.shard_optimizer write
// the optimizer's state.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace longbow {

// Holds the elements [begin, end), in row-major order, of the tensor that files call `name` and that has `size`
// elements in all.
struct TensorSlice {
    std::string name;
    std::int64_t begin = 0, end = 0, size = 0;
    at::Tensor values;  // [end - begin]
};

}  // namespace longbow
