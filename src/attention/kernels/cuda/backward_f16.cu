// The backward kernels of one input type.
#include "backward_launch.h"

template longbow_status longbow::cuda::backward<longbow::cuda::F16>(const longbow_attention&);
