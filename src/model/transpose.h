// Out-of-place transposition of a matrix, for products whose library is slow on transposed operands.
#pragma once

#include <ATen/core/Tensor.h>

namespace longbow {

// x [m, n] fp32 on CPU, rows contiguous (any row stride) -> [n, m] contiguous. Two to three times as quick as t().contiguous().
at::Tensor transposed(const at::Tensor& x);

}  // namespace longbow
