// Dropout whose mask is a function of (seed, element): one seed a call from the default generator, so that a run's masks follow from
// torch's seed as everywhere else, and a hash a pair of elements. ATen's dropout on CPU draws its mask in one thread (3 ms for 2,048 x 256,
// a tenth of a whole training step of the demo's model); this one takes 0.2 ms, needs no memory for the mask, and gives the same
// mask on any number of threads.
#pragma once

#include <ATen/core/Tensor.h>

namespace longbow {

// Each element is 0 with probability p, else x / (1 - p). p = 0: x itself.
at::Tensor dropout(const at::Tensor& x, double p);
// residual + dropout(x, p) in one pass; the result has the residual's type.
at::Tensor add_dropout(const at::Tensor& residual, const at::Tensor& x, double p);

}  // namespace longbow
