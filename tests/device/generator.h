// The device's random numbers: the CPU's engine, with a state of its own.
#pragma once

#include <ATen/core/Generator.h>

namespace pretend {

const at::Generator& default_generator(c10::DeviceIndex index);
at::Generator new_generator(c10::DeviceIndex index);
at::Generator engine_of(const at::Generator& generator);  // the CPU generator inside

// Lets the CPU's default generator continue the device's numbers while it lives: operators that run on twins draw from
// the CPU's generator.
class DrawsFromDevice {
public:
    explicit DrawsFromDevice(c10::DeviceIndex index);
    ~DrawsFromDevice();
    DrawsFromDevice(const DrawsFromDevice&) = delete;
    DrawsFromDevice& operator=(const DrawsFromDevice&) = delete;

private:
    at::Generator device_, host_;
    c10::intrusive_ptr<c10::TensorImpl> host_state_;
};

}  // namespace pretend
