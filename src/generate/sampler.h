// Chooses the next token from the model's scores: the best one, or one drawn at a temperature from the top k and the
// top p of the distribution.
#pragma once

#include <cstdint>
#include <vector>

#include "longbow/core/random.h"

namespace longbow {

struct SamplerOptions {
    double temperature = 1.0;  // 0: the token with the highest score (of equal ones, the lowest id)
    std::int64_t top_k = 0;    // keep the k most probable tokens; 0: all
    double top_p = 1.0;        // of these, keep the fewest most probable ones whose probabilities sum to p
    std::uint64_t seed = 1;
};

// Throws UsageError on a temperature below 0 or infinite, top_k below 0, or top_p outside (0, 1].
void check_sampler(const SamplerOptions& options);

class Sampler {
public:
    // Throws what check_sampler() throws.
    explicit Sampler(const SamplerOptions& options);
    // Draws a token. `logits` [vocab] are any scores whose softmax is the distribution. Draws depend on the seed and
    // the scores alone.
    std::int64_t next(const std::vector<float>& logits);

private:
    SamplerOptions options_;
    Random random_;
};

}  // namespace longbow
