// Instantiates the backward kernels for fp32. Each type has a file, so that the types compile in parallel.
#include "backward_launch.h"

template longbow_status longbow::cuda::backward<float>(const longbow_attention&);
