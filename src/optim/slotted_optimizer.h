// Implements what the optimizers have in common: two groups of parameters, with and without weight decay. Each group is
// updated by one call of ATen's fused kernels, on CPU and GPU alike.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <vector>

#include "longbow/optim/optimizer.h"

namespace longbow {

// The slots start as zeros, so that a checkpoint of any update, the 0th included, has the same tensors.
class SlottedOptimizer : public Optimizer {
public:
    SlottedOptimizer(const OptimizerRequest& request, const std::vector<std::string>& slot_names);
    std::vector<OptimizerSlot>& slots() override { return slots_; }
    [[nodiscard]] std::int64_t steps() const override { return steps_; }
    void set_steps(std::int64_t steps) override { steps_ = steps; }
    void step(double lr, const at::Tensor& divisor) override;

protected:
    struct Group {
        std::vector<at::Tensor> parameters, gradients;
        std::vector<std::vector<at::Tensor>> slots;  // [slot][parameter]
        std::optional<at::Tensor> divisor;           // divides the gradients; 0-dim fp32
    };
    virtual void update(Group& group, double lr, double weight_decay) = 0;

    OptimConfig config_;
    std::int64_t steps_ = 0;

private:
    std::vector<at::Tensor> parameters_;
    std::vector<bool> decay_;
    std::vector<OptimizerSlot> slots_;
};

// Returns {"momentum"} if optim.momentum is above 0, else no slot.
std::vector<std::string> momentum_slots(const OptimConfig& config);

}  // namespace longbow
