#include "slotted_optimizer.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_div.h>
#include <ATen/ops/zeros_like.h>

#include <utility>

#include "longbow/core/error.h"

namespace longbow {

SlottedOptimizer::SlottedOptimizer(const OptimizerRequest& request, const std::vector<std::string>& slot_names)
    : config_(request.config), parameters_(request.parameters), decay_(request.decay) {
    if (decay_.size() != parameters_.size()) throw Error("optimizer: one decay flag a parameter is needed");
    for (const auto& name : slot_names) {
        OptimizerSlot slot{name, {}};
        for (const auto& parameter : parameters_) slot.tensors.push_back(at::zeros_like(parameter.detach()));
        slots_.push_back(std::move(slot));
    }
}

void SlottedOptimizer::step(double lr, const at::Tensor& divisor) {
    const at::NoGradGuard no_grad;
    ++steps_;
    for (const bool decayed : {true, false}) {
        Group group;
        group.slots.resize(slots_.size());
        for (std::size_t i = 0; i < parameters_.size(); ++i) {
            if (decay_[i] != decayed || !parameters_[i].grad().defined()) continue;
            group.parameters.push_back(parameters_[i]);
            group.gradients.push_back(parameters_[i].grad());
            for (std::size_t s = 0; s < slots_.size(); ++s) group.slots[s].push_back(slots_[s].tensors[i]);
        }
        if (group.parameters.empty()) continue;
        if (divisor.defined() && group.parameters[0].scalar_type() == at::kDouble) {
            at::_foreach_div_(group.gradients, divisor);  // the fused kernels take a divisor in fp32 only
        } else if (divisor.defined()) {
            group.divisor = divisor.to(at::kFloat);
        }
        update(group, lr, decayed ? config_.weight_decay : 0.0);
    }
}

std::vector<std::string> momentum_slots(const OptimConfig& config) {
    return config.momentum > 0 ? std::vector<std::string>{"momentum"} : std::vector<std::string>{};
}

}  // namespace longbow
