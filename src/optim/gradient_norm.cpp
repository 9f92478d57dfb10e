// Computes the global norm of the gradients, and the divisor that clips them.
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include "longbow/optim/optimizer.h"

namespace longbow {

namespace {

// Parameters that took no part in the loss have no gradient and are passed over.
std::vector<at::Tensor> gradients_of(const std::vector<at::Tensor>& parameters) {
    std::vector<at::Tensor> gradients;
    gradients.reserve(parameters.size());
    for (const auto& parameter : parameters) {
        if (parameter.grad().defined()) gradients.push_back(parameter.grad());
    }
    return gradients;
}

}  // namespace

at::Tensor gradient_norm(const std::vector<at::Tensor>& parameters) {
    const auto gradients = gradients_of(parameters);
    if (gradients.empty()) return at::zeros({});
    return at::linalg_vector_norm(at::stack(at::_foreach_norm(gradients)), 2.0);
}

at::Tensor clipping_divisor(const at::Tensor& norm, double max_norm) {
    return at::clamp((norm + 1e-6) / max_norm, 1.0);
}

}  // namespace longbow
