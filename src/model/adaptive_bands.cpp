#include "adaptive_bands.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/argsort.h>
#include <ATen/ops/bucketize.h>
#include <ATen/ops/tensor.h>
#include <fmt/core.h>

#include <cmath>

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
    boundaries_ = at::tensor(bounds_);
}

BandSplit AdaptiveBands::split(const at::Tensor& ids) const {
    // Bucket 0 is below the first bound and the last one beyond the vocabulary; neither may contain an id.
    const auto bucket = at::bucketize(ids, boundaries_.to(ids.device()), /*out_int32=*/false, /*right=*/true);
    const auto buckets = at::arange(static_cast<std::int64_t>(bounds_.size()) + 1, bucket.options());
    // bincount() would wait for the device twice more.
    const auto counts = bucket.unsqueeze(0).eq(buckets.unsqueeze(1)).sum(1).cpu();
    const auto* count = counts.const_data_ptr<std::int64_t>();
    if (count[0] + count[bounds_.size()] > 0) {
        const auto wrong = count[0] > 0 ? ids.min() : ids.max();
        throw DataError(fmt::format(
            "token id {} is outside the model's vocabulary of {}: the data were made with another tokenizer",
            wrong.item<std::int64_t>(), bounds_.back()));
    }
    BandSplit split;
    split.band = bucket.sub(1);
    split.order = at::argsort(bucket, /*stable=*/true, /*dim=*/0, /*descending=*/false);
    split.begins = {0};
    for (std::size_t i = 0; i < this->count(); ++i) {
        split.begins.push_back(split.begins.back() + count[i + 1]);
    }
    return split;
}

}  // namespace longbow
