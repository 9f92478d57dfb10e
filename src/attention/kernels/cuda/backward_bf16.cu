// Instantiates the backward kernels for bf16. Each type has a file, so that the types compile in parallel.
#include "backward_launch.h"

template longbow_status longbow::cuda::backward<longbow::cuda::Bf16>(const longbow_attention&);
