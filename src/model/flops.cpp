#include "longbow/model/flops.h"

namespace longbow {

ForwardFlops::ForwardFlops(const Config& config, const ModelSizes& sizes) {
    const auto layers = static_cast<double>(config.model.layers), dim = static_cast<double>(config.model.dim);
    body_ = 2 * layers * static_cast<double>(sizes.layer_products);
    head_ = 2 * (dim * static_cast<double>(sizes.bands[0].rows) + (sizes.bands.size() > 1 ? dim * dim : 0));
    attention_ = 4 * layers * dim;
}

double ForwardFlops::window(std::int64_t inputs, std::int64_t scored) const {
    const auto tokens = static_cast<double>(inputs);
    return tokens * (body_ + attention_ * (tokens + 1) / 2) + static_cast<double>(scored) * head_;
}

}  // namespace longbow
