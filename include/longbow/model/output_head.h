// From hidden states to losses and probabilities.
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
    // Per-token negative log-likelihood in nats, fp32 (fp64 in fp64 runs), no gradient: hidden [n, dim], targets [n] ->
    // [n]. Works in chunks of tokens, so that [n, vocab] is never held whole.
    virtual at::Tensor nll(const at::Tensor& hidden, const at::Tensor& targets) = 0;
    // Sum of the nll times `scale`, differentiable: hidden [n, dim] -> scalar. The gradients of hidden and of the
    // weights are formed in the forward pass, chunk by chunk, so that nothing of size [n, vocab] outlives a chunk and
    // nothing is computed twice. One backward a loss: it consumes them.
    virtual at::Tensor loss(const at::Tensor& hidden, const at::Tensor& targets, double scale) = 0;
    // [n, vocab] fp32 scores whose log-softmax is the model's distribution (generation; the last position only).
    virtual at::Tensor logits(const at::Tensor& hidden) = 0;
    // What loss() and nll() over all of the pass's tokens take.
    [[nodiscard]] virtual HeadMemory memory(const PassSizes& pass) const = 0;
    // Numbers of the weights that multiply each token; of an adaptive head those of its first softmax, which is all
    // that most tokens take.
    [[nodiscard]] virtual std::int64_t product_weights() const = 0;
    // Initial values of the head's own parameters; drawn from the default generator.
    virtual void reset_parameters() = 0;
    // The head's own parameters, or views of their rows, under their names in files.
    virtual void list_tensors(std::vector<NamedTensor>& tensors) const = 0;
};

}  // namespace longbow
