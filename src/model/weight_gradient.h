// The gradient of a linear layer's weight, summed over chunks of rows.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "onednn.h"
#include "transpose.h"

namespace longbow {

// d loss / d W where y = x W^T: the sum of dy^T x. oneDNN reads rows of the first operand: the narrower of dy and x is transposed, and where that
// is x, so is the sum, until it is asked for. fp32 on CPU, rows contiguous.
class WeightGradient {
public:
    // dy [rows, out], x [rows, in].
    void add(const at::Tensor& dy, const at::Tensor& x) {
        sum_is_transposed_ = dy.size(1) > x.size(1);
        add(sum_is_transposed_ ? onednn_linear(transposed(x), dy.t(), std::nullopt, "none")
                               : onednn_linear(transposed(dy), x.t(), std::nullopt, "none"));
    }
    // What another thread has summed, which may be nothing.
    void add(const WeightGradient& other) {
        if (other.sum_.defined()) {
            sum_is_transposed_ = other.sum_is_transposed_;
            add(other.sum_);
        }
    }
    // [out, in]; undefined where nothing was added.
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
