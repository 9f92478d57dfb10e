// Implements Nesterov's accelerated gradient, the optimizer of the paper's WikiText-103 models.
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_fused_sgd.h>

#include "longbow/core/error.h"
#include "slotted_optimizer.h"

namespace longbow {

namespace {

// Applies Nesterov's accelerated gradient in fairseq's form (optim/nag.py), with decoupled weight decay. fairseq keeps
// b = lr v and rescales it by lr / lr_old at each step:   p += m^2 (lr / lr_old) b - (1 + m) lr g,   b = m (lr /
// lr_old) b - lr g. Divided by lr that is   v = m v - g,   p += lr (m v - g),   which is Nesterov's form of SGD (v with
// the opposite sign). Its buffer does not depend on earlier learning rates, so a resumed run, or one with a new
// schedule, need not know them.
class Nag final : public SlottedOptimizer {
public:
    explicit Nag(const OptimizerRequest& request) : SlottedOptimizer(request, momentum_slots(request.config)) {}

private:
    void update(Group& group, double lr, double weight_decay) override {
        if (weight_decay != 0) at::_foreach_mul_(group.parameters, 1 - lr * weight_decay);
        const std::vector<at::Tensor> none;
        at::_fused_sgd_(group.parameters, group.gradients, group.slots.empty() ? none : group.slots[0],
                        /*weight_decay=*/0.0, config_.momentum, lr, /*dampening=*/0.0,
                        /*nesterov=*/!group.slots.empty(), /*maximize=*/false,
                        /*is_first_step=*/false, group.divisor);
    }
};

}  // namespace

LONGBOW_REGISTER_OPTIMIZER(
    {.name = "nag",
     .help = "Nesterov's accelerated gradient as in fairseq, the paper's: sgd with optim.nesterov, except for the "
             "weight decay, which is decoupled",
     .reads = {"momentum"},
     .slots = momentum_slots,
     .make = [](const OptimizerRequest& request) { return std::make_unique<Nag>(request); }});

}  // namespace longbow
