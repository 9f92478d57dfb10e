#include "longbow/model/autocast.h"

#include <ATen/autocast_mode.h>

namespace longbow {

at::ScalarType scalar_type(DType dtype) {
    switch (dtype) {
        case DType::fp64: return at::kDouble;
        case DType::fp32: return at::kFloat;
        case DType::bf16: return at::kBFloat16;
        case DType::fp16: return at::kHalf;
    }
    return at::kFloat;  // there is no other value; g++ warns without this
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
    // The cache holds cast copies of the weights, which the next update changes.
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(device_, enabled_before_);
    at::autocast::set_autocast_dtype(device_, dtype_before_);
}

}  // namespace longbow
