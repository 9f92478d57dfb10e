// Optimizers over a model's parameters, with their state as named slots so that checkpoints can hold it. Each is one file of this room that
// registers itself (LONGBOW_REGISTER_OPTIMIZER) with its options; nothing else names it but its test and docs/configuration.md.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/config/options.h"

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

struct OptimizerRequest {
    const OptimConfig& config;  // its options complete
    const std::vector<at::Tensor>& parameters;
    const std::vector<bool>& decay;  // one a parameter: whether weight decay acts on it
};

// The members have defaults, so that an optimizer writes only those that it needs, under any compiler's warnings.
struct OptimizerEntry {
    std::string name{};
    std::string help{};                 // one line, with the source
    std::vector<std::string> reads{};   // shared keys of `optim` that it reads: beta1, beta2, eps, momentum, nesterov
    std::vector<OptionSpec> options{};  // keys of its own; make() finds them in config.options
    // Names of the tensors that it keeps a parameter; memory plans and the sizes of checkpoints count them.
    std::function<std::vector<std::string>(const OptimConfig&)> slots{};
    std::function<std::unique_ptr<Optimizer>(const OptimizerRequest&)> make{};
};

// The registered optimizers, by name.
const std::vector<OptimizerEntry>& optimizers();
bool register_optimizer(OptimizerEntry entry);

// At namespace scope in an optimizer's .cpp (the room is linked whole, so that no registration is dropped).
#define LONGBOW_REGISTER_OPTIMIZER(...) static const bool longbow_optimizer_registered = ::longbow::register_optimizer(__VA_ARGS__)

// Both throw ConfigError for a name that nobody has registered.
std::vector<std::string> optimizer_slots(const OptimConfig& config);
std::unique_ptr<Optimizer> make_optimizer(const OptimConfig& config, const std::vector<at::Tensor>& parameters,
                                          const std::vector<bool>& decay);

// Global L2 norm of the gradients in fp32 (fp64 for fp64), as a 0-dim tensor (no sync on a GPU).
at::Tensor gradient_norm(const std::vector<at::Tensor>& parameters);
// What gradients of this norm must be divided by to have at most max_norm, 0-dim: max(1, (norm + 1e-6) / max_norm).
at::Tensor clipping_divisor(const at::Tensor& norm, double max_norm);

}  // namespace longbow
