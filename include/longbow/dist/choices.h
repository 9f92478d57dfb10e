// Defines the values of `dist`'s closed settings. config/config.h includes this file, so it includes core/choice.h
// alone.
#pragma once

#include "longbow/core/choice.h"

namespace longbow {

// The type in which gradients are sent between ranks.
enum class ReduceDType { full, bf16, fp16 };

template <>
struct ChoiceTable<ReduceDType> {
    static constexpr Choice<ReduceDType> values[] = {{ReduceDType::full, "full", "their own type"},
                                                     {ReduceDType::bf16, "bf16", "rounded to bfloat16"},
                                                     {ReduceDType::fp16, "fp16", "rounded to half precision"}};
};

}  // namespace longbow
