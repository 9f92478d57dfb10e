#include "longbow/core/bootstrap.h"

#include <algorithm>
#include <cmath>

#include "longbow/core/error.h"
#include "longbow/core/random.h"
#include "longbow/core/strings.h"

namespace longbow {

std::vector<double> block_sums(std::span<const float> values) {
    std::vector<double> sums;
    for (std::size_t begin = 0; begin < values.size(); begin += kBootstrapBlock) {
        double sum = 0;
        for (const float value : values.subspan(begin, std::min<std::size_t>(kBootstrapBlock, values.size() - begin))) sum += value;
        sums.push_back(sum);
    }
    return sums;
}

std::vector<double> block_counts(std::int64_t values) {
    std::vector<double> counts;
    for (std::int64_t begin = 0; begin < values; begin += kBootstrapBlock) {
        counts.push_back(static_cast<double>(std::min(kBootstrapBlock, values - begin)));
    }
    return counts;
}

std::vector<double> resampled_means(const std::vector<double>& sums, const std::vector<double>& weights, std::uint64_t seed) {
    if (sums.empty() || sums.size() != weights.size()) {
        throw Error(strprintf("a bootstrap of %zu block sums with %zu weights", sums.size(), weights.size()));
    }
    Random random(seed);
    std::vector<double> means;
    means.reserve(kBootstrapResamples);
    for (std::int64_t i = 0; i < kBootstrapResamples; ++i) {
        double sum = 0;
        double weight = 0;
        for (std::size_t draw = 0; draw < sums.size(); ++draw) {
            const auto block = static_cast<std::size_t>(random.below(sums.size()));
            sum += sums[block];
            weight += weights[block];
        }
        means.push_back(sum / weight);
    }
    return means;
}

Interval interval_of(std::vector<double> resamples) {
    if (resamples.empty()) throw Error("an interval needs at least one resample");
    std::sort(resamples.begin(), resamples.end());
    const auto quantile = [&](double q) {
        const double place = q * static_cast<double>(resamples.size() - 1);
        const auto below = static_cast<std::size_t>(place);
        const auto above = std::min(below + 1, resamples.size() - 1);
        return resamples[below] + (place - std::floor(place)) * (resamples[above] - resamples[below]);
    };
    return {quantile(0.025), quantile(0.975)};
}

}  // namespace longbow
