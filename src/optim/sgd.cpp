// Implements stochastic gradient descent, with momentum or without.
#include <ATen/ops/_fused_sgd.h>

#include "longbow/core/error.h"
#include "slotted_optimizer.h"

namespace longbow {

namespace {

// Computes v = momentum * v + g; p -= lr * v (nesterov: lr * (g + momentum * v)). Weight decay is L2: g += weight_decay
// * p.
class Sgd final : public SlottedOptimizer {
public:
    explicit Sgd(const OptimizerRequest& request) : SlottedOptimizer(request, momentum_slots(request.config)) {
        if (config_.nesterov && config_.momentum <= 0) throw ConfigError("optim.nesterov needs optim.momentum > 0");
    }

private:
    void update(Group& group, double lr, double weight_decay) override {
        const std::vector<at::Tensor> none;
        at::_fused_sgd_(group.parameters, group.gradients, group.slots.empty() ? none : group.slots[0], weight_decay,
                        config_.momentum, lr,
                        /*dampening=*/0.0, config_.nesterov, /*maximize=*/false, /*is_first_step=*/false,
                        group.divisor);
    }
};

}  // namespace

LONGBOW_REGISTER_OPTIMIZER({.name = "sgd",
                            .help = "Gradient descent with momentum; weight decay is part of the gradient",
                            .reads = {"momentum", "nesterov"},
                            .slots = momentum_slots,
                            .make = [](const OptimizerRequest& request) { return std::make_unique<Sgd>(request); }});

}  // namespace longbow
