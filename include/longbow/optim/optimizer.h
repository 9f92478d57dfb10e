// Optimizers over a model's parameters, with their state as named slots so that checkpoints can hold it.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "longbow/config/config.h"

namespace longbow {

struct OptimizerSlot {
    std::string name;                 // "exp_avg", "exp_avg_sq", "momentum"
    std::vector<at::Tensor> tensors;  // one a parameter, same shape
};

class Optimizer {
public:
    virtual ~Optimizer() = default;
    // One update with the gradients in p.grad() at this learning rate. divisor, 0-dim fp32 or fp64 where the parameters are: the gradients are
    // divided by it first (clipping), in the same pass; undefined: as they are.
    virtual void step(double lr, const at::Tensor& divisor = at::Tensor()) = 0;
    virtual std::vector<OptimizerSlot>& slots() = 0;
    // Number of steps taken (Adam's bias correction); part of the state.
    [[nodiscard]] virtual std::int64_t steps() const = 0;
    virtual void set_steps(std::int64_t steps) = 0;
};

std::unique_ptr<Optimizer> make_optimizer(const OptimConfig& config, const std::vector<at::Tensor>& parameters,
                                          const std::vector<bool>& decay);

// Global L2 norm of the gradients in fp32 (fp64 for fp64), as a 0-dim tensor (no sync on a GPU).
at::Tensor gradient_norm(const std::vector<at::Tensor>& parameters);
// What gradients of this norm must be divided by to have at most max_norm, 0-dim: max(1, (norm + 1e-6) / max_norm).
at::Tensor clipping_divisor(const at::Tensor& norm, double max_norm);

}  // namespace longbow
