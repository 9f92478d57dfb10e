// Defines the values of `train`'s closed settings on which the trainer acts. config/config.h includes this file, so it
// includes core/choice.h alone.
#pragma once

#include "longbow/core/choice.h"

namespace longbow {

// In fp16, what the loss scale multiplies.
enum class ScaledLoss { mean, sum };

template <>
struct ChoiceTable<ScaledLoss> {
    static constexpr Choice<ScaledLoss> values[] = {{ScaledLoss::mean, "mean", "the mean over the update's tokens"},
                                                    {ScaledLoss::sum, "sum", "their sum, the paper's"}};
};

}  // namespace longbow
