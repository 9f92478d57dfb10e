// Implements learned absolute positions: one vector a position, added to the embedding. The method serves no window
// longer than its table; it cannot extrapolate.
#pragma once

#include "longbow/position/position_method.h"

namespace longbow {

class LearnedPosition : public PositionMethod {
public:
    explicit LearnedPosition(const PositionContext& context);
    at::Tensor embed(const at::Tensor& x, const PositionCall& call) override;
    [[nodiscard]] std::int64_t max_length() const override { return rows_; }
    void reset_parameters() override;

private:
    std::int64_t dim_;
    std::int64_t rows_;    // positions
    std::int64_t offset_;  // row of position 0
    at::Tensor weight_;    // [rows + offset, dim]
};

}  // namespace longbow
