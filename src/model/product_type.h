// Applies autocast in code that ATen's own autocast does not reach (custom autograd functions).
#pragma once

#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>

namespace longbow {

// Returns the type in which a matrix product of `x` must be computed now: autocast's if it is enabled (never for fp64),
// else x's own.
inline at::ScalarType product_type(const at::Tensor& x) {
    const auto device = x.device().type();
    if (x.scalar_type() != at::kDouble && at::autocast::is_autocast_enabled(device)) {
        return at::autocast::get_autocast_dtype(device);
    }
    return x.scalar_type();
}

}  // namespace longbow
