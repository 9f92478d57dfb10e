// The arithmetic of a run or a measurement, as settings, flags and results name it.
#pragma once

#include "longbow/core/choice.h"

namespace longbow {

// With bf16 and fp16 the weights stay fp32, and autocast computes in the narrower type.
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
