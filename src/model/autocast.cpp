#include "longbow/model/autocast.h"

#include <ATen/autocast_mode.h>

#include "longbow/core/error.h"

namespace longbow {

at::ScalarType dtype_from(const std::string& name) {
    if (name == "fp64") return at::kDouble;
    if (name == "fp32") return at::kFloat;
    if (name == "bf16") return at::kBFloat16;
    if (name == "fp16") return at::kHalf;
    throw ConfigError("unknown dtype '" + name + "': known are fp64, fp32, bf16, fp16");
}

AutocastScope::AutocastScope(c10::DeviceType device, at::ScalarType dtype)
    : device_(device), active_(dtype == at::kBFloat16 || dtype == at::kHalf) {
    if (!active_) return;
    enabled_before_ = at::autocast::is_autocast_enabled(device_);
    dtype_before_ = at::autocast::get_autocast_dtype(device_);
    at::autocast::set_autocast_enabled(device_, true);
    at::autocast::set_autocast_dtype(device_, dtype);
    at::autocast::increment_nesting();
}

AutocastScope::~AutocastScope() {
    if (!active_) return;
    // The cache holds cast copies of weights, which the next update changes.
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(device_, enabled_before_);
    at::autocast::set_autocast_dtype(device_, dtype_before_);
}

}  // namespace longbow
