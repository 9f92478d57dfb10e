// Rotates pairs of elements of a part of each head, in either of the two orders in which models pair them.
#pragma once

#include <ATen/core/Tensor.h>

#include "longbow/core/choice.h"

namespace longbow {

enum class RotaryPairs { interleaved, halves };
template <>
struct ChoiceTable<RotaryPairs> {
    static constexpr Choice<RotaryPairs> values[] = {
        {RotaryPairs::interleaved, "interleaved", "(0, 1), (2, 3), .., as in the paper and GPT-J"},
        {RotaryPairs::halves, "halves", "(0, dim/2), (1, dim/2 + 1), .., as in GPT-NeoX and Llama"}};
};

// e^(i * angle) of each position and pair, times a factor, [length, dim / 2]: as complex numbers for interleaved pairs,
// as two real tensors for halves. The others are undefined.
struct RotationTable {
    at::Tensor complex{};
    at::Tensor cos{}, sin{};
};
// Makes the table from angles [length, dim / 2] fp64; `type` is fp32 or fp64.
RotationTable rotation_table(const at::Tensor& angles, double factor, RotaryPairs pairs, at::ScalarType type);

// Returns x [batch, heads, length, head_dim], of the table's precision, with the first `dim` elements of each head
// rotated and the rest as they are. It can be differentiated once in x. head_dim must be even.
at::Tensor rotate_pairs(const at::Tensor& x, const RotationTable& table, std::int64_t dim);

}  // namespace longbow
