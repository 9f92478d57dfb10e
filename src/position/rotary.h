// Implements rotary embeddings (Su et al., 2021): queries and keys are rotated by angles that grow with their position.
// The default is the form of the ALiBi paper's baseline: interleaved pairs (x0,x1), (x2,x3), .. over the whole head
// dimension, and the angle of pair k is position * base^(-2k/d). Options pair the elements as other models do, rotate a
// part of each head, and scale the frequencies for longer inputs.
#pragma once

#include <array>

#include "longbow/position/position_method.h"
#include "rotary_scaling.h"
#include "rotate_pairs.h"

namespace longbow {

class RotaryPosition : public PositionMethod {
public:
    explicit RotaryPosition(const PositionContext& context);
    Rotated rotate(const PositionCall& call) override;
    at::Tensor turned(const at::Tensor& x, const at::Tensor& positions, const PositionCall& call) override;
    // Dynamic scaling has frequencies for each length of window, and longrope for short and for long ones.
    [[nodiscard]] bool depends_on_length() const override {
        return settings_.scaling == RotaryScaling::dynamic || settings_.scaling == RotaryScaling::longrope;
    }
    [[nodiscard]] std::vector<std::string> describe(std::int64_t evaluated_length) const override;

private:
    // The rotation for the positions, length and type that it was made for.
    struct Turn {
        at::Tensor positions{};
        std::int64_t length = 0;
        at::ScalarType type = at::kFloat;
        RotationTable table{};
    };
    const RotationTable& table(const at::Tensor& positions, const PositionCall& call, at::ScalarType type);

    RotarySettings settings_;
    RotaryPairs pairs_;
    // The last ones. All layers of a pass, and most passes, share that of rotate() and two of far queries and keys.
    std::array<Turn, 3> turns_;
    std::size_t oldest_ = 0;
};

}  // namespace longbow
