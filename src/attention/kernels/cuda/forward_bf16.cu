// Instantiates the forward kernels for bf16. Each type has a file, so that the types compile in parallel.
#include "forward_launch.h"

template longbow_status longbow::cuda::forward<longbow::cuda::Bf16>(const longbow_attention&);
