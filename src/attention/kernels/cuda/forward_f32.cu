// Instantiates the forward kernels for fp32. Each type has a file, so that the types compile in parallel.
#include "forward_launch.h"

template longbow_status longbow::cuda::forward<float>(const longbow_attention&);
