// Implements rotary embeddings (Su et al., 2021): queries and keys are rotated by angles that grow with their position.
// They have the form of the ALiBi paper's baseline: interleaved pairs (x0,x1), (x2,x3), .. over the whole head
// dimension, and the angle of pair k is position * base^(-2k/d).
#pragma once

#include "longbow/position/position_method.h"

namespace longbow {

class RotaryPosition : public PositionMethod {
public:
    explicit RotaryPosition(const PositionContext& context);
    std::pair<at::Tensor, at::Tensor> rotate(const at::Tensor& q, const at::Tensor& k,
                                             const at::Tensor& positions) override;

private:
    const at::Tensor& rotation(const at::Tensor& positions, at::ScalarType type);

    std::int64_t head_dim_;
    double base_;
    // e^(i * angle), [length, head_dim/2] complex, for the last `positions` seen. All layers of a pass, and most
    // passes, share it.
    at::Tensor positions_, rotation_;
};

}  // namespace longbow
