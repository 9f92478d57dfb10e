// What autocast asks of code that ATen's own autocast does not see (custom autograd functions).
#pragma once

#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>

namespace longbow {

// The type in which a matrix product of `x` is computed here and now: autocast's for fp32 where it is on, else x's own.
inline at::ScalarType product_type(const at::Tensor& x) {
    const auto device = x.device().type();
    if (x.scalar_type() != at::kDouble && at::autocast::is_autocast_enabled(device)) {
        return at::autocast::get_autocast_dtype(device);
    }
    return x.scalar_type();
}

}  // namespace longbow
