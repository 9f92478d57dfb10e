// What the modules' first weights share (model.init).
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

// Of a table of words of this width.
inline double word_deviation(FirstWeights init, std::int64_t width) {
    switch (init) {
        case FirstWeights::fairseq: return 1.0 / std::sqrt(static_cast<double>(width));
        case FirstWeights::gpt2: return kGpt2Deviation;
    }
    return 0.0;
}

// Uniform between -bound and bound. A bound of 0 draws its numbers all the same: what is drawn next depends on how many
// were. parameter may be undefined.
inline void draw_uniform(const at::Tensor& parameter, double bound) {
    if (parameter.defined()) parameter.uniform_(-bound, bound);
}

}  // namespace longbow
