// Tensors of the pretend device and their readable twins.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include <optional>

#include "devices.h"

namespace pretend {

// Returns a CPU tensor of the same shape at the readable addresses of `t`, whose storage it keeps alive; `t` itself if
// it is no device tensor.
at::Tensor twin(const at::Tensor& t);

// Returns a device tensor with the shape and the values of a CPU tensor, on the current device.
at::Tensor on_device(const at::Tensor& values);

at::Tensor empty_on_device(at::IntArrayRef sizes, at::IntArrayRef strides, at::ScalarType type);

// Is alive while the pretend device computes: what it does with twins is plain CPU work, of which autograd and autocast
// know nothing.
struct PlainWork {
    c10::impl::ExcludeDispatchKeyGuard guard{c10::autograd_dispatch_keyset_with_ADInplaceOrView |
                                             c10::autocast_dispatch_keyset};
};

// Makes a device current while a tensor is made on it.
class OnDevice {
public:
    explicit OnDevice(std::optional<c10::Device> device) : before_(current_device()) {
        if (device && device->has_index()) current_device() = device->index();
    }
    ~OnDevice() { current_device() = before_; }
    OnDevice(const OnDevice&) = delete;
    OnDevice& operator=(const OnDevice&) = delete;

private:
    int before_;
};

}  // namespace pretend
