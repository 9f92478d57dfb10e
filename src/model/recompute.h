// Implements activation recomputation: a block keeps only its input, and is computed a second time when its gradients
// are needed. A layer's memory falls from everything that its parts keep for their derivatives to one tensor [batch,
// length, dim], for a third more computation.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "block.h"

namespace longbow {

// Computes block->forward(x, pass) with the same bits, forward and backward, including dropout and autocast. The result
// can be differentiated once in x, in the block's and the position method's parameters, and in the tensors of pass.bias
// and pass.scratch. pass.cache is not used. Back-end and position method must outlive the backward pass.
at::Tensor recomputed(const std::shared_ptr<Block>& block, const at::Tensor& x, const BlockPass& pass);

}  // namespace longbow
