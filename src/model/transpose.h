// Transposes a matrix out of place, for products whose library is slow on transposed operands.
#pragma once

#include <ATen/core/Tensor.h>

namespace longbow {

// Returns x [m, n], fp32 on CPU with contiguous rows (any row stride), as [n, m] contiguous. It takes a half to a third
// of the time of t().contiguous().
at::Tensor transposed(const at::Tensor& x);

}  // namespace longbow
