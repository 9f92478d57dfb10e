// Implements ALiBi: each head subtracts slope * distance from its attention scores (Press, Smith, Lewis, ICLR 2022,
// section 3).
#pragma once

#include <vector>

#include "longbow/core/choice.h"
#include "longbow/position/position_method.h"

namespace longbow {

enum class SlopeRule { authors, geometric };
template <>
struct ChoiceTable<SlopeRule> {
    static constexpr Choice<SlopeRule> values[] = {{SlopeRule::authors, "authors", "as in the authors' release"},
                                                   {SlopeRule::geometric, "geometric", "2^(-8i/heads)"}};
};

// Returns the slopes of `heads` heads, in fp64. The rule "geometric" gives 2^(-8i/heads), i = 1..heads. "authors" gives
// the same when `heads` is a power of two; otherwise it gives the slopes of the next lower power of two, followed by
// every second slope of the next higher one, as the authors' release does. That list is not monotone: for 12 heads it
// ends with 2^-0.5, 2^-1.5, 2^-2.5, 2^-3.5.
std::vector<double> alibi_slopes(std::int64_t heads, SlopeRule rule);

class AlibiPosition : public PositionMethod {
public:
    explicit AlibiPosition(const PositionContext& context);
    BiasSpec bias(std::int64_t layer) override;

private:
    at::Tensor slopes_;  // [heads]; a buffer, so that it is moved and converted with the model
};

}  // namespace longbow
