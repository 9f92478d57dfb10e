// Computes the gradient of a linear layer's weight as a sum over chunks of rows.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "onednn.h"
#include "transpose.h"

namespace longbow {

// Sums d loss / d W where y = x W^T, which is the sum of dy^T x. oneDNN reads the first operand by rows, so the
// narrower of dy and x is transposed; if that is x, the sum stays transposed until value(). Operands are fp32 on CPU
// with contiguous rows.
class WeightGradient {
public:
    // Adds the gradient from dy [rows, out] and x [rows, in].
    void add(const at::Tensor& dy, const at::Tensor& x) {
        sum_is_transposed_ = dy.size(1) > x.size(1);
        add(sum_is_transposed_ ? onednn_linear(transposed(x), dy.t(), std::nullopt, "none")
                               : onednn_linear(transposed(dy), x.t(), std::nullopt, "none"));
    }
    // Adds the sum of another thread, which may be empty.
    void add(const WeightGradient& other) {
        if (other.sum_.defined()) {
            sum_is_transposed_ = other.sum_is_transposed_;
            add(other.sum_);
        }
    }
    // Returns the sum [out, in]; undefined if nothing was added.
    [[nodiscard]] at::Tensor value() const { return sum_.defined() && sum_is_transposed_ ? transposed(sum_) : sum_; }

private:
    void add(const at::Tensor& part) {
        if (sum_.defined()) {
            sum_.add_(part);
        } else {
            sum_ = part;
        }
    }

    at::Tensor sum_;
    bool sum_is_transposed_ = false;
};

}  // namespace longbow
