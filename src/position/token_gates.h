// Serves methods whose weights fade by gates that the tokens set (FoX, Wall attention).
#pragma once

#include "longbow/position/position_method.h"

namespace longbow {

// Gates in (0, 1) for each head at each token, `of_head` of them (FoX: one, Wall: one a channel). Their logits are
// linear in what the layer's attention projects.
class GatedPosition : public PositionMethod {
public:
    // The option gate_bias is the first value of the gates' bias.
    GatedPosition(const PositionContext& context, std::int64_t of_head);

    [[nodiscard]] bool bias_differs_by_layer() const override { return true; }
    void reset_parameters() override;

protected:
    // Returns the logarithms of the gates of the new tokens, [batch, heads, length, of_head]. The caller keeps autocast
    // off: gates near 1 differ by less than half precision tells, and their errors add up over the tokens.
    [[nodiscard]] at::Tensor log_gates(const PositionCall& call) const;

private:
    std::int64_t heads_, of_head_;
    double gate_bias_;
    at::Tensor weight_;  // [layers, heads * of_head, dim]
    at::Tensor bias_;    // [layers, heads * of_head]
};

}  // namespace longbow
