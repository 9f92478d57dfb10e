// Defines the output head, which turns hidden states into losses and scores.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <vector>

#include "longbow/model/memory.h"

namespace longbow {

struct NamedTensor;

class OutputHead : public torch::nn::Module {
public:
    // Returns the negative log-likelihood in nats of each token, [n], from hidden [n, dim] and targets [n] int64 on the
    // CPU; fp32 (fp64 in fp64 runs), without gradient. It works in chunks, so that [n, vocab] is never held as a whole.
    virtual at::Tensor nll(const at::Tensor& hidden, const at::Tensor& targets) = 0;
    // Returns, from the same arguments, a scalar: the sum of the nll times `scale`, differentiable. The gradients of
    // hidden and of the weights are formed in the forward pass, chunk by chunk, so that nothing of size [n, vocab]
    // outlives a chunk and nothing is computed twice. A loss allows one backward pass, which consumes them.
    virtual at::Tensor loss(const at::Tensor& hidden, const at::Tensor& targets, double scale) = 0;
    // Returns [n, vocab] fp32 scores whose log-softmax is the model's distribution. Generation uses it for the last
    // position only.
    virtual at::Tensor logits(const at::Tensor& hidden) = 0;
    // Returns the memory that loss() and nll() over all of the pass's tokens take.
    [[nodiscard]] virtual HeadMemory memory(const PassSizes& pass) const = 0;
    // Returns the number of weights that multiply each token. Of an adaptive head these are the weights of its first
    // softmax, since most tokens take no other.
    [[nodiscard]] virtual std::int64_t product_weights() const = 0;
    // Draws the initial values of the head's own parameters from the default generator.
    virtual void reset_parameters() = 0;
    // Appends the head's own parameters, or views of their rows, with their names in files.
    virtual void list_tensors(std::vector<NamedTensor>& tensors) const = 0;
};

}  // namespace longbow
