#include "longbow/position/position_state.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <algorithm>

#include "longbow/core/error.h"

namespace longbow {

at::Tensor GrowingTensor::put(const at::Tensor& fresh, std::int64_t length, std::int64_t dim) {
    if (at::GradMode::is_enabled()) {
        throw Error("a key-value cache serves generation: use it without gradients");
    }
    if (length > 0 && !buffer_.defined()) {
        throw Error("a key-value cache has nothing of its first tokens here: begin it with all that later ones need");
    }
    const auto end = length + fresh.size(dim);
    if (!buffer_.defined() || buffer_.size(dim) < end) {
        auto sizes = fresh.sizes().vec();
        sizes.at(static_cast<std::size_t>(dim < 0 ? dim + fresh.dim() : dim)) = std::max(end, 2 * length);
        auto grown = at::empty(sizes, fresh.options());
        if (length > 0) grown.narrow(dim, 0, length).copy_(buffer_.narrow(dim, 0, length));
        buffer_ = grown;
    }
    buffer_.narrow(dim, length, fresh.size(dim)).copy_(fresh);
    return buffer_.narrow(dim, 0, end);
}

}  // namespace longbow
