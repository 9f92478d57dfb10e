// Implements AdamW (Loshchilov and Hutter 2019).
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/zeros.h>

#include "longbow/core/error.h"
#include "slotted_optimizer.h"

namespace longbow {

namespace {

std::vector<std::string> adam_slots(const OptimConfig&) { return {"exp_avg", "exp_avg_sq"}; }

// Weight decay is decoupled (Loshchilov and Hutter 2019): p -= lr * weight_decay * p.
class AdamW final : public SlottedOptimizer {
public:
    explicit AdamW(const OptimizerRequest& request) : SlottedOptimizer(request, adam_slots(request.config)) {}

private:
    void update(Group& group, double lr, double weight_decay) override {
        // The kernel reads the step's number from a tensor for each parameter; all parameters may share one.
        const auto step =
            at::zeros({}, group.parameters[0].options().dtype(at::kFloat)).fill_(static_cast<double>(steps_));
        const std::vector<at::Tensor> steps(group.parameters.size(), step);
        at::_fused_adamw_(group.parameters, group.gradients, group.slots[0], group.slots[1], {}, steps, lr,
                          config_.beta1, config_.beta2, weight_decay, config_.eps, /*amsgrad=*/false,
                          /*maximize=*/false, group.divisor);
    }
};

}  // namespace

LONGBOW_REGISTER_OPTIMIZER({.name = "adamw",
                            .help = "Adam with decoupled weight decay (Loshchilov and Hutter, 2019)",
                            .reads = {"beta1", "beta2", "eps"},
                            .slots = adam_slots,
                            .make = [](const OptimizerRequest& request) { return std::make_unique<AdamW>(request); }});

}  // namespace longbow
