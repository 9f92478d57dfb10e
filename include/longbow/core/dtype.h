// The type of a run's or a measurement's arithmetic, as settings, flags and results name it.
#pragma once

#include "longbow/core/choice.h"

namespace longbow {

// The arithmetic of a run: bf16 and fp16 are autocast over fp32 weights.
enum class DType { fp64, fp32, bf16, fp16 };

template <>
struct ChoiceTable<DType> {
    static constexpr Choice<DType> values[] = {
        {DType::fp64, "fp64", "double precision, for comparisons"},
        {DType::fp32, "fp32", "single precision"},
        {DType::bf16, "bf16", "fp32 weights, autocast to bfloat16"},
        {DType::fp16, "fp16", "fp32 weights, autocast to half precision, with a dynamic loss scale"}};
};

}  // namespace longbow
