// The forward kernels of one input type.
#include "forward_launch.h"

template longbow_status longbow::cuda::forward<longbow::cuda::F16>(const longbow_attention&);
