// What the modules' first weights share (model.init).
#pragma once

#include <ATen/core/Tensor.h>

#include <cmath>
#include <cstdint>

namespace longbow {

constexpr double kGpt2Deviation = 0.02;

// GPT-2 scales the projections into the residual stream down with the number of sub-layers.
inline double gpt2_residual_deviation(std::int64_t layers) { return kGpt2Deviation / std::sqrt(2.0 * static_cast<double>(layers)); }

// Uniform between -bound and bound. A bound of 0 draws its numbers all the same: what is drawn next depends on how many were. parameter may be
// undefined.
inline void draw_uniform(const at::Tensor& parameter, double bound) {
    if (parameter.defined()) parameter.uniform_(-bound, bound);
}

}  // namespace longbow
