// Sends tensors to the device of a model without making the host wait for it.
#pragma once

#include <ATen/core/Tensor.h>

namespace longbow {

// Returns a CPU tensor on `device`. A GPU copies it in the background: from pinned memory, since a copy from pageable
// memory would stop the host. LibTorch keeps that memory until the copy is done.
inline at::Tensor sent(const at::Tensor& host, at::Device device) {
    return device.is_cuda() ? host.pin_memory().to(device, /*non_blocking=*/true) : host.to(device);
}

}  // namespace longbow
