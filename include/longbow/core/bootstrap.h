// Block bootstrap: intervals for means of series whose neighbours are alike (losses of consecutive tokens), after Künsch (1989), with
// fixed blocks. Blocks, not tokens, are drawn again, so that the dependence within a block is kept.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace longbow {

inline constexpr std::int64_t kBootstrapBlock = 1024;  // consecutive targets a block
inline constexpr std::int64_t kBootstrapResamples = 1000;

struct Interval {
    double low = 0, high = 0;  // 2.5 and 97.5 percent quantiles (linear between order statistics)
};

// Sums of `values` over blocks of kBootstrapBlock; the last block may be shorter.
std::vector<double> block_sums(std::span<const float> values);

// What each block weighs in a mean: kBootstrapBlock, and the rest for the last. `values` is the length of the whole series.
std::vector<double> block_counts(std::int64_t values);

// Blocks drawn again with replacement: sum of the drawn sums / sum of their weights, a resample each, in the order drawn. Series of as many
// blocks under the same seed draw the same blocks, so that their resamples pair.
std::vector<double> resampled_means(const std::vector<double>& sums, const std::vector<double>& weights, std::uint64_t seed = 1);

Interval interval_of(std::vector<double> resamples);

}  // namespace longbow
