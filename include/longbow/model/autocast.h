// Turns mixed precision on for a scope: inside it, matrix products of fp32 weights run in bf16 or fp16.
#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include "longbow/core/dtype.h"

namespace longbow {

at::ScalarType scalar_type(DType dtype);

// Enables autocast on the device's type during its lifetime if dtype is bf16 or fp16; does nothing for fp32 and fp64.
// Scopes may nest.
class AutocastScope {
public:
    AutocastScope(c10::DeviceType device, at::ScalarType dtype);
    ~AutocastScope();
    AutocastScope(const AutocastScope&) = delete;
    AutocastScope& operator=(const AutocastScope&) = delete;

private:
    c10::DeviceType device_;
    bool active_;
    bool enabled_before_ = false;
    at::ScalarType dtype_before_ = at::kFloat;
};

}  // namespace longbow
