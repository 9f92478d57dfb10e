// The backward kernels of one input type.
#include "backward_launch.h"

template longbow_status longbow::cuda::backward<float>(const longbow_attention&);
