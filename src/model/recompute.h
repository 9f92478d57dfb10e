// Activation recompute: a block keeps its input alone, and is computed a second time when its gradients are wanted. A layer's memory falls from
// all that its parts keep for their derivatives to one tensor [batch, length, dim], for a third more computation.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "block.h"

namespace longbow {

// block->forward(x, pass) with the same bits, forward and backward, dropout and autocast included. Differentiable once in x, in the
// block's and the position method's parameters, and in what pass.bias and pass.scratch hold. No cache. Back-end and position method
// must outlive the backward pass.
at::Tensor recomputed(const std::shared_ptr<Block>& block, const at::Tensor& x, const BlockPass& pass);

}  // namespace longbow
