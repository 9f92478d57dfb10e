// Optimizers update a model's parameters. Their state is kept as named slots, so that checkpoints can hold it. Each
// optimizer is one file of this room, which registers the optimizer and its options (LONGBOW_REGISTER_OPTIMIZER);
// otherwise only its test and docs/configuration.md name it.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/config/options.h"

namespace longbow {

// Describes a tensor that the optimizer keeps for each parameter, such as Adam's first moment.
struct OptimizerSlot {
    std::string name;                 // "exp_avg", "exp_avg_sq", "momentum"
    std::vector<at::Tensor> tensors;  // one a parameter, of the parameter's shape
};

class Optimizer {
public:
    virtual ~Optimizer() = default;
    // Applies one update with the gradients in p.grad() at this learning rate. `divisor` (0-dim, fp32, or fp64 where
    // the parameters are) divides the gradients first, in the same pass over memory; clipping uses it. An undefined
    // divisor leaves them as they are.
    virtual void step(double lr, const at::Tensor& divisor = at::Tensor()) = 0;
    virtual std::vector<OptimizerSlot>& slots() = 0;
    // Returns the number of steps taken, which Adam's bias correction needs. It is part of the state that checkpoints
    // hold.
    [[nodiscard]] virtual std::int64_t steps() const = 0;
    virtual void set_steps(std::int64_t steps) = 0;
};

struct OptimizerRequest {
    const OptimConfig& config;  // with defaults filled in for options that the configuration leaves out
    const std::vector<at::Tensor>& parameters;
    const std::vector<bool>& decay;  // one a parameter: whether weight decay acts on it
};

// The members have defaults, so that an optimizer names only those that it needs and no compiler warns about the
// missing ones.
struct OptimizerEntry {
    std::string name{};
    std::string help{};                 // one line, with the source
    std::vector<std::string> reads{};   // shared keys of `optim` that it reads: beta1, beta2, eps, momentum, nesterov
    std::vector<OptionSpec> options{};  // keys of its own; make() finds their values in config.options
    // Returns the names of the slots that the optimizer keeps with this configuration. Memory plans and the sizes of
    // checkpoints count them.
    std::function<std::vector<std::string>(const OptimConfig&)> slots{};
    std::function<std::unique_ptr<Optimizer>(const OptimizerRequest&)> make{};
};

// Returns all registered optimizers, sorted by name.
const std::vector<OptimizerEntry>& optimizers();
bool register_optimizer(OptimizerEntry entry);

// Stands at namespace scope in the optimizer's .cpp. The linker keeps it because rooms are linked whole.
#define LONGBOW_REGISTER_OPTIMIZER(...) \
    static const bool longbow_optimizer_registered = ::longbow::register_optimizer(__VA_ARGS__)

// Both throw ConfigError for a name that is not registered.
std::vector<std::string> optimizer_slots(const OptimConfig& config);
std::unique_ptr<Optimizer> make_optimizer(const OptimConfig& config, const std::vector<at::Tensor>& parameters,
                                          const std::vector<bool>& decay);

// Returns the global L2 norm of the gradients as a 0-dim tensor, in fp32 (fp64 for fp64 gradients). A GPU is not
// synchronized with the host.
at::Tensor gradient_norm(const std::vector<at::Tensor>& parameters);
// Returns the 0-dim divisor that brings gradients of this norm down to at most max_norm: max(1, (norm + 1e-6) /
// max_norm).
at::Tensor clipping_divisor(const at::Tensor& norm, double max_norm);

}  // namespace longbow
