#include "longbow/core/interval.h"

#include <fmt/core.h>
#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <map>

#include "longbow/core/error.h"

namespace longbow {

namespace {

constexpr double kLevel = 0.05;

double t_quantile(double level, double freedom) {
    const auto computed = [&] {
        return boost::math::quantile(boost::math::complement(boost::math::students_t(freedom), level / 2));
    };
    if (level != kLevel) return computed();
    // A report needs the same few degrees of freedom many times.
    thread_local std::map<double, double> known;
    const auto found = known.find(freedom);
    return found != known.end() ? found->second : known[freedom] = computed();
}

// Widens t. Where the differences of all blocks have about the same size, their mean takes few values, and t alone
// finds a false winner in up to 9 of 100 cases with 10 to 60 blocks. With this factor it is at most 6
// (interval_test.cpp tests the rates).
double widened(double t, double freedom) { return t * (1 + 2 / (freedom + 1)); }

// The two parts of the mean's variance, each with its degrees of freedom. docs/evaluation.md states the formulas with
// these names.
struct Spread {
    double seeds = 0, seed_freedom = 0;    // V_S, the variance of the seeds' means, with S - 1 degrees
    double blocks = 0, block_freedom = 0;  // max(V_B - V_I, 0), of the blocks' part that the seeds share
    [[nodiscard]] double half_width(double level) const {
        double square = 0;
        if (seeds > 0) square += seeds * std::pow(t_quantile(level, seed_freedom), 2);
        if (blocks > 0) square += blocks * std::pow(widened(t_quantile(level, block_freedom), block_freedom), 2);
        return std::sqrt(square);
    }
};

void check(const std::vector<std::vector<double>>& sums, const std::vector<double>& weights) {
    if (sums.empty() || weights.empty()) throw Error("an interval needs a seed and a block at least");
    for (const auto& series : sums) {
        if (series.size() != weights.size())
            throw Error(fmt::format("{} sums for {} blocks", series.size(), weights.size()));
    }
    if (std::any_of(weights.begin(), weights.end(), [](double weight) { return !(weight >= 0); })) {
        throw Error("a block of negative weight");
    }
}

double total(const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values) sum += value;
    return sum;
}

Spread spread_of(const std::vector<std::vector<double>>& sums, const std::vector<double>& weights,
                 const std::vector<double>& seed_means, double mean) {
    const auto seeds = static_cast<double>(sums.size());
    const double weight = total(weights);
    Spread spread;
    double v_blocks = 0, v_interaction = 0, squares = 0, leverages = 0, leverage_squares = 0;
    for (std::size_t b = 0; b < weights.size(); ++b) {
        const double share = weights[b] / weight;
        // A block pulls the mean towards itself, so that its residual varies too little; more so with a large share.
        const double correction = 1 / (1 - share);
        double block = 0;
        for (const auto& series : sums) block += series[b] / seeds;
        v_blocks += correction * std::pow((block - mean * weights[b]) / weight, 2);
        for (std::size_t s = 0; s < sums.size(); ++s) {
            const double residual = sums[s][b] - seed_means[s] * weights[b] - block + mean * weights[b];
            v_interaction += correction * std::pow(residual / weight, 2);
        }
        squares += share * share;
        leverages += share * share * correction;
        leverage_squares += std::pow(share * share * correction, 2);
    }
    spread.block_freedom = 1 / (squares + leverages * leverages - leverage_squares);
    if (sums.size() > 1) {
        v_interaction /= seeds * (seeds - 1);
        for (const double one : seed_means) spread.seeds += (one - mean) * (one - mean) / (seeds * (seeds - 1));
        spread.seed_freedom = seeds - 1;
    }
    spread.blocks = sums.size() > 1 ? std::max(v_blocks - v_interaction, 0.0) : v_blocks;
    return spread;
}

struct Estimated {
    MeanEstimate estimate;
    Spread spread;  // set where there is an interval
};

Estimated estimate_of(const std::vector<std::vector<double>>& sums, const std::vector<double>& weights) {
    check(sums, weights);
    Estimated result;
    auto& estimate = result.estimate;
    estimate.seeds = static_cast<std::int64_t>(sums.size());
    estimate.blocks = static_cast<std::int64_t>(
        std::count_if(weights.begin(), weights.end(), [](double weight) { return weight > 0; }));
    const double weight = total(weights);
    std::vector<double> seed_means;
    seed_means.reserve(sums.size());
    for (const auto& series : sums) seed_means.push_back(total(series) / weight);
    estimate.mean = total(seed_means) / static_cast<double>(sums.size());
    if (estimate.blocks < kLeastBlocks || !std::isfinite(estimate.mean)) return result;
    result.spread = spread_of(sums, weights, seed_means, estimate.mean);
    const double half = result.spread.half_width(kLevel);
    if (std::isfinite(half)) estimate.interval = Interval{estimate.mean - half, estimate.mean + half};
    return result;
}

}  // namespace

Interval wilson_interval(std::int64_t successes, std::int64_t trials) {
    if (trials < 1 || successes < 0 || successes > trials) {
        throw Error(fmt::format("{} of {} trials are no share", successes, trials));
    }
    constexpr double kNormalQuantile = 1.959963984540054;  // of 97.5 %
    const auto n = static_cast<double>(trials);
    const double share = static_cast<double>(successes) / n, square = kNormalQuantile * kNormalQuantile;
    const double middle = (share + square / (2 * n)) / (1 + square / n);
    const double half = kNormalQuantile / (1 + square / n) * std::sqrt(share * (1 - share) / n + square / (4 * n * n));
    // Rounding must not leave an end beside 0 or 1 where it is 0 or 1.
    return {successes == 0 ? 0.0 : middle - half, successes == trials ? 1.0 : middle + half};
}

std::vector<double> block_sums(std::span<const double> values) {
    std::vector<double> sums;
    for (std::size_t begin = 0; begin < values.size(); begin += kIntervalBlock) {
        double sum = 0;
        for (const double value : values.subspan(begin, std::min<std::size_t>(kIntervalBlock, values.size() - begin)))
            sum += value;
        sums.push_back(sum);
    }
    return sums;
}

std::vector<double> block_counts(std::int64_t values) {
    std::vector<double> counts;
    for (std::int64_t begin = 0; begin < values; begin += kIntervalBlock) {
        counts.push_back(static_cast<double>(std::min(kIntervalBlock, values - begin)));
    }
    return counts;
}

MeanEstimate mean_estimate(const std::vector<std::vector<double>>& sums, const std::vector<double>& weights) {
    return estimate_of(sums, weights).estimate;
}

std::optional<Interval> interval_of_values(std::span<const double> values) {
    if (values.size() < 2) return std::nullopt;
    const auto count = static_cast<double>(values.size());
    double mean = 0, squares = 0;
    for (const double value : values) mean += value / count;
    for (const double value : values) squares += (value - mean) * (value - mean);
    const double half = t_quantile(kLevel, count - 1) * std::sqrt(squares / (count - 1) / count);
    if (!std::isfinite(half)) return std::nullopt;
    return Interval{mean - half, mean + half};
}

std::vector<double> holm_adjusted(const std::vector<double>& p_values) {
    std::vector<std::size_t> order(p_values.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
        if (!(p_values[i] >= 0 && p_values[i] <= 1)) throw Error(fmt::format("a p-value of {}", p_values[i]));
        order[i] = i;
    }
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return p_values[a] < p_values[b]; });
    std::vector<double> adjusted(p_values.size());
    double greatest = 0;
    for (std::size_t rank = 0; rank < order.size(); ++rank) {
        const auto left = static_cast<double>(order.size() - rank);
        greatest = std::max(greatest, std::min(1.0, left * p_values[order[rank]]));
        adjusted[order[rank]] = greatest;
    }
    return adjusted;
}

std::optional<double> p_value(const std::vector<std::vector<double>>& sums, const std::vector<double>& weights) {
    const auto [estimate, spread] = estimate_of(sums, weights);
    if (!estimate.interval) return std::nullopt;
    if (estimate.mean == 0) return 1;
    // Bisects on the logarithm of the level: the half width falls as the level rises.
    double low = std::log(1e-100), high = 0;
    if (spread.half_width(std::exp(low)) <= std::abs(estimate.mean)) return 0;
    for (int i = 0; i < 200 && high - low > 1e-13; ++i) {
        const double middle = (low + high) / 2;
        (spread.half_width(std::exp(middle)) > std::abs(estimate.mean) ? low : high) = middle;
    }
    return std::exp(high);
}

}  // namespace longbow
