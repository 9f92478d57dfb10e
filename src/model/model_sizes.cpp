#include "longbow/model/model_sizes.h"

#include <algorithm>
#include <cmath>

#include "longbow/core/error.h"
#include "longbow/core/strings.h"
#include "longbow/model/language_model.h"

namespace longbow {

namespace {

std::vector<BandSizes> bands_of(const ModelConfig& model, std::int64_t vocab_size) {
    if (model.adaptive_cutoffs.empty()) return {{vocab_size, vocab_size, model.dim}};
    const auto& cutoffs = model.adaptive_cutoffs;
    if (cutoffs.back() >= vocab_size) {
        throw ConfigError(strprintf("model.adaptive_cutoffs: the last band would begin at id %lld, but the vocabulary has only %lld ids",
                                    static_cast<long long>(cutoffs.back()), static_cast<long long>(vocab_size)));
    }
    std::vector<BandSizes> bands;
    for (std::size_t i = 0; i <= cutoffs.size(); ++i) {
        const auto words = (i < cutoffs.size() ? cutoffs[i] : vocab_size) - (i == 0 ? 0 : cutoffs[i - 1]);
        const auto dim =
            static_cast<std::int64_t>(static_cast<double>(model.dim) / std::pow(model.adaptive_factor, static_cast<double>(i)));
        bands.push_back({words, words + (i == 0 ? static_cast<std::int64_t>(cutoffs.size()) : 0), dim});
    }
    return bands;
}

void add_words(ModelSizes& sizes, const ModelConfig& model) {
    const bool adaptive = !model.adaptive_cutoffs.empty();
    for (std::size_t i = 0; i < sizes.bands.size(); ++i) {
        const auto& band = sizes.bands[i];
        const auto table = (model.tie_output ? band.rows : band.words) * band.dim;
        const auto projection = adaptive ? model.dim * band.dim : 0;
        sizes.embedding += table + projection;
        if (!model.tie_output) sizes.head += band.rows * band.dim;
        if (i > 0 && !(model.tie_output && model.tie_projections)) sizes.head += projection;
        sizes.largest = std::max(sizes.largest, band.rows * band.dim);
    }
}

}  // namespace

ModelSizes model_sizes(const Config& config, std::int64_t vocab_size) {
    const auto& model = config.model;
    const auto dim = model.dim;
    const auto ffn_rows = (model.activation == Activation::swiglu ? 2 : 1) * model.ffn_dim;
    const auto norm = dim * (model.bias && model.norm != NormKind::rmsnorm ? 2 : 1);
    ModelSizes sizes;
    sizes.bands = bands_of(model, vocab_size);
    add_words(sizes, model);
    for (const auto& parameter : make_position_method(config.position.method, position_context(config))->parameters())
        sizes.position += parameter.numel();
    sizes.layer_products = 4 * dim * dim + (ffn_rows + model.ffn_dim) * dim;
    sizes.layer = sizes.layer_products + 2 * norm;
    if (model.bias) sizes.layer += (model.key_bias ? 3 : 2) * dim + dim + ffn_rows + dim;
    sizes.final_norm = model.final_norm ? norm : 0;
    sizes.largest = std::max({sizes.largest, ffn_rows * dim, 3 * dim * dim});
    sizes.total = sizes.embedding + sizes.position + model.layers * sizes.layer + sizes.final_norm + sizes.head;
    return sizes;
}

}  // namespace longbow
