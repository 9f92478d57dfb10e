// The forward kernels of one input type.
#include "forward_launch.h"

template longbow_status longbow::cuda::forward<float>(const longbow_attention&);
