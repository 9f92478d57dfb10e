// Cuts a vocabulary that is sorted by frequency into bands: the rarer a band's words, the narrower their embeddings
// (Baevski and Auli 2019, "Adaptive Input Representations"; Grave et al. 2017 for the output).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "longbow/config/config.h"

namespace longbow {

// Says which ids of a list are in which band. The tensors are on the CPU, where the ids come from: the number of ids in
// each band decides shapes, and the host would have to wait for a GPU that counted them.
struct BandSplit {
    at::Tensor order;                  // [n] int64: the list's indices sorted by band, in list order within each band
    at::Tensor within;                 // [n] int64: in this order, each id's number within its band
    std::vector<std::int64_t> begins;  // [bands + 1]: where each band begins in `order`
};

class AdaptiveBands {
public:
    // Cuts the vocabulary by model.adaptive_cutoffs and adaptive_factor. Throws ConfigError if a cutoff leaves no word
    // for the last band.
    AdaptiveBands(const ModelConfig& config, std::int64_t vocab_size);
    [[nodiscard]] std::size_t count() const { return dims_.size(); }
    [[nodiscard]] std::int64_t begin(std::size_t band) const { return bounds_[band]; }  // its first id
    [[nodiscard]] std::int64_t words(std::size_t band) const { return bounds_[band + 1] - bounds_[band]; }
    [[nodiscard]] std::int64_t dim(std::size_t band) const { return dims_[band]; }  // of its embeddings
    // Finds the band of each of `ids` ([n] int64 on the CPU). Throws DataError for an id outside the vocabulary.
    [[nodiscard]] BandSplit split(const at::Tensor& ids) const;

private:
    std::vector<std::int64_t> bounds_;  // 0, the cutoffs, vocab_size
    std::vector<std::int64_t> dims_;
};

}  // namespace longbow
