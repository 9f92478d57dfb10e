// The default of attention.skip_threshold. config/config.h, which lies below this room, and the operator both take it
// from here.
#pragma once

#include <numbers>

namespace longbow {

// What is left out of a row's sum is below half a unit in the last place of fp32: 2^-24 of the sum.
inline constexpr double kExactSkipThreshold = 24.0 * std::numbers::ln2;

}  // namespace longbow
