#include "longbow/model/flops.h"

#include "longbow/model/language_model.h"

namespace longbow {

namespace {

// Returns the pairs of a token and a key that it sees, in a text of so many tokens.
double visible_pairs(double tokens, std::int64_t window) {
    const auto most = static_cast<double>(window);
    if (window == 0 || most >= tokens) return tokens * (tokens + 1) / 2;
    return most * (most + 1) / 2 + (tokens - most) * most;
}

}  // namespace

ForwardFlops::ForwardFlops(const LanguageModel& model) {
    const auto& config = model.config().model;
    body_ = 2 * static_cast<double>(model.layer_product_weights());
    head_ = 2 * static_cast<double>(model.head_product_weights());
    attention_ = 4 * static_cast<double>(config.heads * config.head_size());
    const auto& position = model.config().position;
    for (std::int64_t layer = 0; layer < config.layers; ++layer) {
        const auto entry = static_cast<std::size_t>(layer);
        ++layers_of_[position.layers.empty() ? position.window
                                             : position.layers[entry % position.layers.size()].window];
    }
}

ForwardFlops::ForwardFlops(const Config& config, std::int64_t vocab_size)
    : ForwardFlops(*make_meta_model(config, vocab_size)) {}

double ForwardFlops::window(std::int64_t inputs, std::int64_t scored) const {
    const auto tokens = static_cast<double>(inputs);
    double pairs = 0;
    for (const auto& [window, layers] : layers_of_)
        pairs += static_cast<double>(layers) * visible_pairs(tokens, window);
    return tokens * body_ + pairs * attention_ + static_cast<double>(scored) * head_;
}

}  // namespace longbow
