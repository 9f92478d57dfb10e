// Instantiates the backward kernels for fp16. Each type has a file, so that the types compile in parallel.
#include "backward_launch.h"

template longbow_status longbow::cuda::backward<longbow::cuda::F16>(const longbow_attention&);
