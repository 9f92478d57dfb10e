#include "gguf_types.h"

#include <array>

namespace longbow {

namespace {

constexpr GgufType kTypes[] = {{0, "F32", 1, 4, PickleDtype::f32, nullptr},
                               {1, "F16", 1, 2, PickleDtype::f16, nullptr},
                               {28, "F64", 1, 8, PickleDtype::f64, nullptr},
                               {30, "BF16", 1, 2, PickleDtype::bf16, nullptr},
                               {2, "Q4_0", 32, 18, PickleDtype::f32, dequantize_q4_0},
                               {3, "Q4_1", 32, 20, PickleDtype::f32, dequantize_q4_1},
                               {6, "Q5_0", 32, 22, PickleDtype::f32, dequantize_q5_0},
                               {7, "Q5_1", 32, 24, PickleDtype::f32, dequantize_q5_1},
                               {8, "Q8_0", 32, 34, PickleDtype::f32, dequantize_q8_0},
                               {10, "Q2_K", 256, 84, PickleDtype::f32, dequantize_q2_k},
                               {11, "Q3_K", 256, 110, PickleDtype::f32, dequantize_q3_k},
                               {12, "Q4_K", 256, 144, PickleDtype::f32, dequantize_q4_k},
                               {13, "Q5_K", 256, 176, PickleDtype::f32, dequantize_q5_k},
                               {14, "Q6_K", 256, 210, PickleDtype::f32, dequantize_q6_k},
                               {15, "Q8_K", 256, 292, PickleDtype::f32, dequantize_q8_k}};

struct OtherType {
    std::uint32_t number;
    const char* name;
};
constexpr OtherType kOthers[] = {{9, "Q8_1"},    {16, "IQ2_XXS"}, {17, "IQ2_XS"}, {18, "IQ3_XXS"}, {19, "IQ1_S"},
                                 {20, "IQ4_NL"}, {21, "IQ3_S"},   {22, "IQ2_S"},  {23, "IQ4_XS"},  {24, "I8"},
                                 {25, "I16"},    {26, "I32"},     {27, "I64"},    {29, "IQ1_M"},   {34, "TQ1_0"},
                                 {35, "TQ2_0"},  {39, "MXFP4"}};

}  // namespace

const GgufType* gguf_type(std::uint32_t number) {
    for (const auto& type : kTypes) {
        if (type.number == number) return &type;
    }
    return nullptr;
}

std::string gguf_type_name(std::uint32_t number) {
    for (const auto& [other, name] : kOthers) {
        if (other == number) return name;
    }
    return "number " + std::to_string(number);
}

}  // namespace longbow
