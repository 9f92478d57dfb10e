#include "longbow/model/flops.h"

#include "longbow/model/language_model.h"

namespace longbow {

ForwardFlops::ForwardFlops(const LanguageModel& model) {
    const auto& config = model.config().model;
    body_ = 2 * static_cast<double>(model.layer_product_weights());
    head_ = 2 * static_cast<double>(model.head_product_weights());
    attention_ = 4 * static_cast<double>(config.layers) * static_cast<double>(config.dim);
}

ForwardFlops::ForwardFlops(const Config& config, std::int64_t vocab_size)
    : ForwardFlops(*make_meta_model(config, vocab_size)) {}

double ForwardFlops::window(std::int64_t inputs, std::int64_t scored) const {
    const auto tokens = static_cast<double>(inputs);
    return tokens * (body_ + attention_ * (tokens + 1) / 2) + static_cast<double>(scored) * head_;
}

}  // namespace longbow
