// A vocabulary sorted by frequency, cut into bands: the rarer a band's words, the narrower their embeddings (Baevski and Auli 2019,
// "Adaptive Input Representations"; Grave et al. 2017 for the output).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "longbow/config/config.h"

namespace longbow {

// Which of a list of ids are in which band.
struct BandSplit {
    at::Tensor band;                   // [n] int64: each id's band
    at::Tensor order;                  // [n] int64: places of the list sorted by band, in their own order within each
    std::vector<std::int64_t> begins;  // [bands + 1]: where each band's places begin in `order`

    // Places of the ids in band i, [n_i].
    [[nodiscard]] at::Tensor places(std::size_t i) const { return order.slice(0, begins[i], begins[i + 1]); }
};

class AdaptiveBands {
public:
    // By model.adaptive_cutoffs and adaptive_factor. Throws ConfigError when a cutoff leaves no word of the vocabulary for the last band.
    AdaptiveBands(const ModelConfig& config, std::int64_t vocab_size);
    [[nodiscard]] std::size_t count() const { return dims_.size(); }
    [[nodiscard]] std::int64_t begin(std::size_t band) const { return bounds_[band]; }  // its first id
    [[nodiscard]] std::int64_t words(std::size_t band) const { return bounds_[band + 1] - bounds_[band]; }
    [[nodiscard]] std::int64_t dim(std::size_t band) const { return dims_[band]; }  // of its embeddings
    // ids [n] int64, on any device. Waits for the device once. Throws DataError for an id outside the vocabulary.
    [[nodiscard]] BandSplit split(const at::Tensor& ids) const;

private:
    std::vector<std::int64_t> bounds_;  // 0, the cutoffs, vocab_size
    std::vector<std::int64_t> dims_;
    at::Tensor boundaries_;  // bounds_ as a tensor on the CPU
};

}  // namespace longbow
