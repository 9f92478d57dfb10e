// Mixed precision as a scope: inside it, matrix products of fp32 weights run in bf16 or fp16.
#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <string>

namespace longbow {

// at::kBFloat16 of "bf16", kHalf of "fp16", kFloat of "fp32", kDouble of "fp64". Throws ConfigError naming the known ones.
at::ScalarType dtype_from(const std::string& name);

// Autocast on the device's type while it lives, when dtype is bf16 or fp16; nothing for fp32 and fp64. Scopes may nest.
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
