// AdamW, SGD and NAG over ATen's fused kernels: one call a group for all parameters, on CPU and GPU. Two groups, with and without weight
// decay. The slots start as zeros, so that a checkpoint of any update, the 0th included, has the same tensors.
#include "longbow/optim/optimizer.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_div.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <optional>
#include <utility>

#include "longbow/core/error.h"

namespace longbow {

namespace {

// A parameter that took no part in the loss has no gradient, and is left as it is.
std::vector<at::Tensor> gradients_of(const std::vector<at::Tensor>& parameters) {
    std::vector<at::Tensor> gradients;
    gradients.reserve(parameters.size());
    for (const auto& parameter : parameters) {
        if (parameter.grad().defined()) gradients.push_back(parameter.grad());
    }
    return gradients;
}

class SlottedOptimizer : public Optimizer {
public:
    SlottedOptimizer(const OptimConfig& config, const std::vector<at::Tensor>& parameters, const std::vector<bool>& decay,
                     const std::vector<std::string>& slot_names)
        : config_(config), parameters_(parameters), decay_(decay) {
        if (decay.size() != parameters.size()) throw Error("optimizer: one decay flag a parameter is needed");
        for (const auto& name : slot_names) {
            OptimizerSlot slot{name, {}};
            for (const auto& parameter : parameters) slot.tensors.push_back(at::zeros_like(parameter.detach()));
            slots_.push_back(std::move(slot));
        }
    }
    std::vector<OptimizerSlot>& slots() override { return slots_; }
    [[nodiscard]] std::int64_t steps() const override { return steps_; }
    void set_steps(std::int64_t steps) override { steps_ = steps; }

    void step(double lr, const at::Tensor& divisor) override {
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
                at::_foreach_div_(group.gradients, divisor);  // the kernels know a divisor in fp32
            } else if (divisor.defined()) {
                group.divisor = divisor.to(at::kFloat);
            }
            update(group, lr, decayed ? config_.weight_decay : 0.0);
        }
    }

protected:
    struct Group {
        std::vector<at::Tensor> parameters, gradients;
        std::vector<std::vector<at::Tensor>> slots;  // [slot][parameter]
        std::optional<at::Tensor> divisor;           // of the gradients, 0-dim fp32
    };
    virtual void update(Group& group, double lr, double weight_decay) = 0;

    OptimConfig config_;
    std::int64_t steps_ = 0;

private:
    std::vector<at::Tensor> parameters_;
    std::vector<bool> decay_;
    std::vector<OptimizerSlot> slots_;
};

// Loshchilov and Hutter 2019: decoupled decay, p -= lr * weight_decay * p.
class AdamW final : public SlottedOptimizer {
public:
    AdamW(const OptimConfig& config, const std::vector<at::Tensor>& parameters, const std::vector<bool>& decay)
        : SlottedOptimizer(config, parameters, decay, {"exp_avg", "exp_avg_sq"}) {}

private:
    void update(Group& group, double lr, double weight_decay) override {
        // The kernel reads the number of this step from a tensor a parameter; all may be the same one.
        const auto step = at::zeros({}, group.parameters[0].options().dtype(at::kFloat)).fill_(static_cast<double>(steps_));
        const std::vector<at::Tensor> steps(group.parameters.size(), step);
        at::_fused_adamw_(group.parameters, group.gradients, group.slots[0], group.slots[1], {}, steps, lr, config_.beta1, config_.beta2,
                          weight_decay, config_.eps, /*amsgrad=*/false, /*maximize=*/false, group.divisor);
    }
};

// v = momentum * v + g; p -= lr * v (nesterov: lr * (g + momentum * v)). Weight decay is L2: g += weight_decay * p.
class Sgd final : public SlottedOptimizer {
public:
    Sgd(const OptimConfig& config, const std::vector<at::Tensor>& parameters, const std::vector<bool>& decay)
        : SlottedOptimizer(config, parameters, decay,
                           config.momentum > 0 ? std::vector<std::string>{"momentum"} : std::vector<std::string>{}) {
        if (config.nesterov && config.momentum <= 0) throw ConfigError("optim.nesterov needs optim.momentum > 0");
    }

private:
    void update(Group& group, double lr, double weight_decay) override {
        const std::vector<at::Tensor> none;
        at::_fused_sgd_(group.parameters, group.gradients, group.slots.empty() ? none : group.slots[0], weight_decay, config_.momentum, lr,
                        /*dampening=*/0.0, config_.nesterov, /*maximize=*/false, /*is_first_step=*/false, group.divisor);
    }
};

// Nesterov's accelerated gradient as fairseq has it (optim/nag.py), decay decoupled. fairseq keeps b = lr v and rescales it by
// lr / lr_old at each step:   p += m^2 (lr / lr_old) b - (1 + m) lr g,   b = m (lr / lr_old) b - lr g.
// Divided by lr that is   v = m v - g,   p += lr (m v - g):   Nesterov's form of SGD (v with the other sign), whose buffer needs no rate
// of the past, so that a resumed or re-scheduled run needs none either.
class Nag final : public SlottedOptimizer {
public:
    Nag(const OptimConfig& config, const std::vector<at::Tensor>& parameters, const std::vector<bool>& decay)
        : SlottedOptimizer(config, parameters, decay,
                           config.momentum > 0 ? std::vector<std::string>{"momentum"} : std::vector<std::string>{}) {}

private:
    void update(Group& group, double lr, double weight_decay) override {
        if (weight_decay != 0) at::_foreach_mul_(group.parameters, 1 - lr * weight_decay);
        const std::vector<at::Tensor> none;
        at::_fused_sgd_(group.parameters, group.gradients, group.slots.empty() ? none : group.slots[0], /*weight_decay=*/0.0,
                        config_.momentum, lr, /*dampening=*/0.0, /*nesterov=*/!group.slots.empty(), /*maximize=*/false,
                        /*is_first_step=*/false, group.divisor);
    }
};

}  // namespace

std::unique_ptr<Optimizer> make_optimizer(const OptimConfig& config, const std::vector<at::Tensor>& parameters,
                                          const std::vector<bool>& decay) {
    if (config.name == "adamw") return std::make_unique<AdamW>(config, parameters, decay);
    if (config.name == "sgd") return std::make_unique<Sgd>(config, parameters, decay);
    if (config.name == "nag") return std::make_unique<Nag>(config, parameters, decay);
    throw ConfigError("optim.name: " + config.name + " is none of adamw, sgd, nag");
}

at::Tensor gradient_norm(const std::vector<at::Tensor>& parameters) {
    const auto gradients = gradients_of(parameters);
    if (gradients.empty()) return at::zeros({});
    return at::linalg_vector_norm(at::stack(at::_foreach_norm(gradients)), 2.0);
}

at::Tensor clipping_divisor(const at::Tensor& norm, double max_norm) { return at::clamp((norm + 1e-6) / max_norm, 1.0); }

}  // namespace longbow
