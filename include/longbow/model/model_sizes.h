// How many parameters a model has, part by part, from its configuration alone: a model of 10^9 parameters is planned without being built.
#pragma once

#include <cstdint>
#include <vector>

#include "longbow/config/config.h"

namespace longbow {

// One band of words: with model.adaptive_cutoffs the words from its cutoff to the next, else all of them.
struct BandSizes {
    std::int64_t words = 0;
    std::int64_t rows = 0;  // of its output matrix: the first band's has a class for each further band behind its words
    std::int64_t dim = 0;   // of its embeddings
};

// In numbers, not bytes.
struct ModelSizes {
    std::vector<BandSizes> bands;
    std::int64_t embedding = 0;  // tables, and with bands their projections
    std::int64_t position = 0;
    std::int64_t layer = 0;           // each
    std::int64_t layer_products = 0;  // of these, in matrices that multiply activations
    std::int64_t final_norm = 0;
    std::int64_t head = 0;     // the output's own; 0 when tied
    std::int64_t largest = 0;  // of one parameter tensor
    std::int64_t total = 0;
};

ModelSizes model_sizes(const Config& config, std::int64_t vocab_size);

}  // namespace longbow
