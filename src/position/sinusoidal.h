// Implements sinusoidal embeddings, added to the token embeddings (Vaswani et al., 2017). They have fairseq's form,
// since the ALiBi paper's baseline used it: [sin of all frequencies | cos of all frequencies] (not interleaved),
// frequency k = 10000^(-k / (half - 1)), and the first token of a window has index 2 (fairseq keeps indices 0 and 1 for
// padding).
#pragma once

#include "longbow/position/position_method.h"

namespace longbow {

// Returns the embedding's rows [length, dim] fp64 for `positions` [length] int64 (0 = first token of the window). An
// odd `dim` ends with a column of zeros.
at::Tensor sinusoidal_rows(const at::Tensor& positions, std::int64_t dim);

class SinusoidalPosition : public PositionMethod {
public:
    explicit SinusoidalPosition(const PositionContext& context);
    at::Tensor embed(const at::Tensor& x, const PositionCall& call) override;

private:
    std::int64_t dim_;
    // The rows of the last `positions` seen, kept because the model passes the same tensor as long as the window does
    // not change.
    at::Tensor positions_, rows_;
};

}  // namespace longbow
