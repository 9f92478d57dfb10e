// What a run's closed settings may be, as far as the trainer acts on them.
#pragma once

#include "longbow/core/choice.h"

namespace longbow {

enum class ScaledLoss { mean, sum };

template <>
struct ChoiceTable<ScaledLoss> {
    static constexpr Choice<ScaledLoss> values[] = {{ScaledLoss::mean, "mean", "the mean over the update's tokens"},
                                                    {ScaledLoss::sum, "sum", "their sum, the paper's"}};
};

}  // namespace longbow
