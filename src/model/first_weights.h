// Draws initial values for the parameters of modules, by the rules of model.init.
#pragma once

#include <ATen/core/Tensor.h>

#include <cmath>
#include <cstdint>

#include "longbow/model/choices.h"

namespace longbow {

constexpr double kGpt2Deviation = 0.02;

// GPT-2 scales the projections into the residual stream down with the number of sub-layers.
inline double gpt2_residual_deviation(std::int64_t layers) {
    return kGpt2Deviation / std::sqrt(2.0 * static_cast<double>(layers));
}

// Returns the standard deviation for a table of words of this width.
inline double word_deviation(FirstWeights init, std::int64_t width) {
    switch (init) {
        case FirstWeights::fairseq: return 1.0 / std::sqrt(static_cast<double>(width));
        case FirstWeights::gpt2: return kGpt2Deviation;
    }
    return 0.0;
}

// Draws uniformly between -bound and bound. A bound of 0 draws its numbers too, since the values drawn later depend on
// how many were drawn before. `parameter` may be undefined.
inline void draw_uniform(const at::Tensor& parameter, double bound) {
    if (parameter.defined()) parameter.uniform_(-bound, bound);
}

}  // namespace longbow
