// Compares the fused operator on a device with the formula in fp64 on the CPU, for `longbow doctor --attention`.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <tuple>
#include <vector>

#include "longbow/attention/fused_attention.h"

namespace longbow {

// Says how far the results of some calls, each forward and backward, are from the formula's.
struct OperatorErrors {
    struct Quantity {
        std::string name;  // out, lse, dq, dk, dv, dbias
        double worst = 0;  // the largest difference, relative to the largest value that the formula gives
        double limit = 0;
    };
    int calls = 0;
    std::vector<Quantity> quantities;
    std::vector<std::string> wrong;  // a text for each call that is wrong, with its shape
};

using AttentionOperator = std::function<std::tuple<at::Tensor, at::Tensor>(const FusedAttentionCall& call)>;

// Calls `attend` with small shapes that together reach every kernel: head sizes, biases, masks, ragged lengths, few
// queries, dropout, skipped keys. `type` is fp32, bf16 or fp16. Also finds calls that throw, and calls that give other
// bits when they are repeated.
OperatorErrors check_operator(const std::string& device, at::ScalarType type,
                              const AttentionOperator& attend = fused_attention);

}  // namespace longbow
