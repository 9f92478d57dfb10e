#include "sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "longbow/core/error.h"
#include "longbow/core/strings.h"

namespace longbow {

void check_sampler(const SamplerOptions& options) {
    if (!(options.temperature >= 0.0) || std::isinf(options.temperature)) {
        throw UsageError("--temperature: must be 0 (greedy) or a finite number above, not " +
                         number_text(options.temperature));
    }
    if (options.top_k < 0) {
        throw UsageError("--top-k: must be 0 (all tokens) or above, not " + std::to_string(options.top_k));
    }
    if (!(options.top_p > 0.0 && options.top_p <= 1.0)) {
        throw UsageError("--top-p: must be above 0 and at most 1, not " + number_text(options.top_p));
    }
}

Sampler::Sampler(const SamplerOptions& options) : options_(options), random_(options.seed) { check_sampler(options); }

std::int64_t Sampler::next(const std::vector<float>& logits) {
    const auto best = static_cast<std::size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
    if (options_.temperature == 0.0) {
        return static_cast<std::int64_t>(best);
    }
    // Tokens are sorted by score, equal ones by id, so that the order, and with it the draw, is the same on every
    // machine.
    std::vector<std::size_t> ids(logits.size());
    std::iota(ids.begin(), ids.end(), std::size_t{0});
    std::stable_sort(ids.begin(), ids.end(), [&](std::size_t a, std::size_t b) { return logits[a] > logits[b]; });
    if (options_.top_k > 0 && static_cast<std::size_t>(options_.top_k) < ids.size()) {
        ids.resize(static_cast<std::size_t>(options_.top_k));
    }
    std::vector<double> weights;
    for (const auto id : ids) {
        weights.push_back(
            std::exp((static_cast<double>(logits[id]) - static_cast<double>(logits[best])) / options_.temperature));
    }
    double total = std::accumulate(weights.begin(), weights.end(), 0.0);
    double kept = 0.0;
    std::size_t count = 0;
    while (count < weights.size() && (count == 0 || kept < options_.top_p * total)) {
        kept += weights[count++];
    }
    double place = random_.uniform() * kept;
    std::size_t pick = 0;
    while (pick + 1 < count && place >= weights[pick]) {
        place -= weights[pick++];
    }
    return static_cast<std::int64_t>(ids[pick]);
}

}  // namespace longbow
