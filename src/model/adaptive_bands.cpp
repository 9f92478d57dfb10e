#include "adaptive_bands.h"

#include <ATen/ops/empty.h>
#include <fmt/core.h>

#include <cmath>
#include <numeric>

#include "longbow/core/error.h"
#include "longbow/core/strings.h"

namespace longbow {

AdaptiveBands::AdaptiveBands(const ModelConfig& config, std::int64_t vocab_size) {
    const auto& cutoffs = config.adaptive_cutoffs;
    if (!cutoffs.empty() && cutoffs.back() >= vocab_size) {
        throw ConfigError(fmt::format(
            "model.adaptive_cutoffs: the last band would begin at id {}, but the vocabulary has only {} ids",
            cutoffs.back(), vocab_size));
    }
    bounds_ = {0};
    bounds_.insert(bounds_.end(), cutoffs.begin(), cutoffs.end());
    bounds_.push_back(vocab_size);
    for (std::size_t i = 0; i <= cutoffs.size(); ++i) {
        dims_.push_back(static_cast<std::int64_t>(static_cast<double>(config.dim) /
                                                  std::pow(config.adaptive_factor, static_cast<double>(i))));
    }
}

BandSplit AdaptiveBands::split(const at::Tensor& ids) const {
    const auto list = ids.contiguous();
    const auto n = static_cast<std::size_t>(list.numel());
    const auto* const id = list.const_data_ptr<std::int64_t>();
    std::vector<std::size_t> band(n);
    BandSplit split;
    split.begins.assign(count() + 1, 0);
    for (std::size_t i = 0; i < n; ++i) {
        if (id[i] < 0 || id[i] >= bounds_.back()) {
            throw DataError(fmt::format(
                "token id {} is outside the model's vocabulary of {}: the data were made with another tokenizer", id[i],
                bounds_.back()));
        }
        while (id[i] >= bounds_[band[i] + 1]) ++band[i];
        ++split.begins[band[i] + 1];
    }
    std::partial_sum(split.begins.begin(), split.begins.end(), split.begins.begin());
    split.order = at::empty(ids.sizes(), list.options());
    split.within = at::empty(ids.sizes(), list.options());
    auto* const order = split.order.mutable_data_ptr<std::int64_t>();
    auto* const within = split.within.mutable_data_ptr<std::int64_t>();
    auto next = split.begins;
    for (std::size_t i = 0; i < n; ++i) {
        const auto place = next[band[i]]++;
        order[place] = static_cast<std::int64_t>(i);
        within[place] = id[i] - begin(band[i]);
    }
    return split;
}

}  // namespace longbow
