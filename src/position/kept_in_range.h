// Keeps a learned number in its range, as the authors of several methods do.
#pragma once

#include <ATen/core/Tensor.h>

namespace longbow {

// Returns the parameter with each number in [least, most] and the gradient that it has there. In training the parameter
// itself is put into its range, and the optimizer is not told; otherwise a measurement would change what a run goes on
// from. variable_data() has the values without the version by which autograd would see a change.
inline at::Tensor kept_in_range(const at::Tensor& parameter, double least, double most, bool training) {
    if (training) {
        parameter.variable_data().clamp_(least, most);
        return parameter;
    }
    const auto values = parameter.detach();
    return values.clamp(least, most).add(parameter.sub(values));
}

}  // namespace longbow
