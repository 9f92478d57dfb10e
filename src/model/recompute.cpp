// The block's parameters are inputs of one autograd Function, whose backward pass returns their gradients. The usual
// way, a nested backward pass that accumulates into the parameters without autograd's knowledge, would make c10d's
// Reducer see a parameter's gradient more than once if the parameter serves two layers.
#include "recompute.h"

#include <ATen/Context.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <utility>
#include <vector>

#include "generator_state.h"

namespace longbow {

namespace {

// Holds the states of the default generators that a block may draw from: the CPU's (our own masks draw their seeds from
// it on every device) and the device's (for ATen's masks). A GPU's state is two numbers on the host, so reading it
// never waits for the GPU.
class RandomState {
public:
    explicit RandomState(at::Device device) : device_(device) {
        cpu_ = state_of(at::globalContext().defaultGenerator(at::kCPU));
        if (!device.is_cpu()) {
            other_ = state_of(at::globalContext().defaultGenerator(device));
        }
    }
    void restore() const {
        set_state_of(at::globalContext().defaultGenerator(at::kCPU), cpu_);
        if (other_.defined()) {
            set_state_of(at::globalContext().defaultGenerator(device_), other_);
        }
    }
    [[nodiscard]] at::Device device() const { return device_; }

private:
    at::Device device_;
    at::Tensor cpu_, other_;
};

// Inside the scope, the numbers drawn are those that were drawn from `then` on; afterwards the generators continue
// where they were.
class RandomScope {
public:
    explicit RandomScope(const RandomState& then) : now_(then.device()) { then.restore(); }
    ~RandomScope() { now_.restore(); }
    RandomScope(const RandomScope&) = delete;
    RandomScope& operator=(const RandomScope&) = delete;

private:
    RandomState now_;
};

struct Autocast {
    at::DeviceType device;
    bool enabled;
    at::ScalarType dtype;
    bool cache;

    static Autocast now(at::DeviceType device) {
        return {device, at::autocast::is_autocast_enabled(device), at::autocast::get_autocast_dtype(device),
                at::autocast::is_autocast_cache_enabled()};
    }
    void set() const {
        at::autocast::set_autocast_enabled(device, enabled);
        at::autocast::set_autocast_dtype(device, dtype);
        at::autocast::set_autocast_cache_enabled(cache);
    }
};

// Restores autocast as it was in the forward pass (the backward pass runs outside it, on a GPU in another thread), but
// without its cache of cast weights: a block uses each weight once, and the cache would keep every layer's copies until
// the end of the forward pass.
class AutocastAs {
public:
    explicit AutocastAs(Autocast then) : before_(Autocast::now(then.device)) {
        then.cache = false;
        then.set();
    }
    ~AutocastAs() { before_.set(); }
    AutocastAs(const AutocastAs&) = delete;
    AutocastAs& operator=(const AutocastAs&) = delete;

private:
    Autocast before_;
};

// Holds the arguments of one call except its differentiable inputs.
struct Call : torch::CustomClassHolder {
    Call(std::shared_ptr<Block> its_block, const BlockPass& pass, const at::Tensor& x)
        : block(std::move(its_block)),
          backend(pass.backend),
          position(pass.position),
          position_call(pass.call),
          bias(pass.bias),
          random(x.device()),
          autocast(Autocast::now(x.device().type())) {}

    std::shared_ptr<Block> block;
    AttentionBackend& backend;
    PositionMethod& position;
    PositionCall position_call;
    BiasSpec bias;  // its tensors that require a gradient are taken from the inputs
    std::size_t bias_inputs = 0;
    bool dense_input = false;
    RandomState random;
    Autocast autocast;

    // The inputs are x, those of the bias, [dense], and then the parameters, which the block has anyway.
    [[nodiscard]] std::size_t activations() const { return 1 + bias_inputs + (dense_input ? 1 : 0); }

    // Detaches the activations from the graph that they came from, and runs the block on them.
    at::Tensor run(torch::autograd::variable_list& inputs) const {
        const at::AutoGradMode with_grad(true);
        const AutocastAs as_before(autocast);
        for (std::size_t i = 0; i < activations(); ++i) {
            inputs[i] = inputs[i].detach().requires_grad_(inputs[i].requires_grad());
        }
        std::size_t next = 1;
        BiasSpec its_bias = bias;
        AttentionScratch scratch;
        its_bias.for_each_tensor([&](at::Tensor& tensor) {
            if (tensor.requires_grad()) tensor = inputs[next++];
        });
        if (dense_input) scratch.dense = inputs[next++];
        return block->forward(inputs[0], {backend, position, position_call, its_bias, &scratch, nullptr});
    }
};

class RecomputedBlock : public torch::autograd::Function<RecomputedBlock> {
public:
    // The first pass runs with gradients too, although its graph is dropped with the activations at its end: a back-end
    // may behave differently with gradients, and both passes must be the same. The activations of at most one layer
    // exist at a time.
    static at::Tensor forward(torch::autograd::AutogradContext* context, const c10::intrusive_ptr<Call>& call,
                              at::TensorList inputs) {
        context->save_for_backward(inputs.vec());
        context->saved_data["call"] = c10::IValue::make_capsule(call);
        auto its_inputs = inputs.vec();
        return call->run(its_inputs).detach();
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                   torch::autograd::variable_list gradients) {
        auto inputs = context->get_saved_variables();
        torch::autograd::variable_list result(inputs.size() + 1);  // the first result belongs to `call`
        if (!gradients[0].defined()) {
            return result;
        }
        const auto capsule = context->saved_data.at("call").toCapsule();
        const auto& call = static_cast<const Call&>(*capsule);
        at::Tensor output;
        {
            const RandomScope same_numbers(call.random);
            output = call.run(inputs);
        }
        torch::autograd::variable_list wanted;
        std::vector<std::size_t> places;
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            if (inputs[i].requires_grad()) {
                wanted.push_back(inputs[i]);
                places.push_back(i + 1);
            }
        }
        auto found = torch::autograd::grad({output}, wanted, {gradients[0]}, /*retain_graph=*/false,
                                           /*create_graph=*/false, /*allow_unused=*/true);
        for (std::size_t i = 0; i < places.size(); ++i) {
            result[places[i]] = std::move(found[i]);
        }
        return result;
    }
};

}  // namespace

at::Tensor recomputed(const std::shared_ptr<Block>& block, const at::Tensor& x, const BlockPass& pass) {
    const auto call = c10::make_intrusive<Call>(block, pass, x);
    std::vector<at::Tensor> inputs = {x};
    call->bias.for_each_tensor([&](at::Tensor& tensor) {
        if (!tensor.requires_grad()) return;
        inputs.push_back(tensor);
        ++call->bias_inputs;
        // The graph that it came from does not stay alive through this copy.
        tensor = tensor.detach().requires_grad_();
    });
    if (pass.scratch != nullptr && pass.scratch->dense.defined()) {
        call->dense_input = true;
        inputs.push_back(pass.scratch->dense);
    }
    for (const torch::nn::Module* module :
         {static_cast<const torch::nn::Module*>(block.get()), static_cast<const torch::nn::Module*>(&pass.position)}) {
        for (const auto& parameter : module->parameters()) {
            inputs.push_back(parameter);
        }
    }
    return RecomputedBlock::apply(call, at::TensorList(inputs));
}

}  // namespace longbow
