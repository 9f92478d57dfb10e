// Confidence intervals for means of series whose neighbours are correlated, such as losses of consecutive tokens. The
// series is cut into blocks of 1,024 values whose means count as independent; Student's t gives the width, with the
// degrees of freedom that the few blocks leave. These are closed forms without resampling, because a percentile
// bootstrap of 5 blocks finds a false difference in 16 of 100 cases, and one of 10 blocks in 10 of 100.
// docs/evaluation.md states the method, and tests/unit/core/interval_test.cpp measures its error rates.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace longbow {

inline constexpr std::int64_t kIntervalBlock = 1024;  // consecutive targets in a block
// Fewer blocks give no interval and no verdict: from so little text nobody can see whether its losses are nearly
// normal.
inline constexpr std::int64_t kLeastBlocks = 10;
inline constexpr const char* kIntervalMethod = "student-t";   // name of the method in rows of results.jsonl
inline constexpr const char* kBootstrapMethod = "bootstrap";  // of older rows, which name none: 1,000 resamples

struct Interval {
    double low = 0, high = 0;
};

// Sums `values` over blocks of kIntervalBlock. The last block may be shorter.
std::vector<double> block_sums(std::span<const double> values);

// Returns the number of values in each block, which is its weight in a mean: kIntervalBlock, and what remains for the
// last. `values` is the length of the whole series.
std::vector<double> block_counts(std::int64_t values);

struct MeanEstimate {
    double mean = 0;
    std::int64_t blocks = 0, seeds = 0;
    std::optional<Interval> interval;  // at 95 %; absent below kLeastBlocks blocks and where a sum is not finite
    // Returns whether the interval excludes 0.
    [[nodiscard]] bool excludes_zero() const { return interval && (interval->low > 0 || interval->high < 0); }
};

// Estimates the mean per unit of weight from sums[seed][block] and the blocks' weights. All seeds share the blocks; one
// seed is one series. Blocks and seeds are both treated as samples: with several seeds the interval holds for other
// seeds and other text, with one seed only for other text. Throws Error where the sizes do not agree or a weight is
// negative.
MeanEstimate mean_estimate(const std::vector<std::vector<double>>& sums, const std::vector<double>& weights);

// Returns the interval of the mean of independent values, such as one a seed, at 95 % by Student's t. It is absent for
// fewer than two values and where one is not finite.
std::optional<Interval> interval_of_values(std::span<const double> values);

// Adjusts the p-values of several tests by Holm's method (1979), so that the probability of one false finding among all
// of them is at most the level at which each adjusted value is read. The order stays. Throws Error for a value outside
// 0 to 1.
std::vector<double> holm_adjusted(const std::vector<double>& p_values);

// Returns the two-sided p-value of a mean of 0: the level at which the interval of mean_estimate() would end at 0. It
// is absent where there is no interval.
std::optional<double> p_value(const std::vector<std::vector<double>>& sums, const std::vector<double>& weights);

// Returns the 95 % interval of a share, `successes` of `trials` independent ones (at least 1), by Wilson's score (Wilson
// 1927), which stays within [0, 1] and keeps its level near both ends.
Interval wilson_interval(std::int64_t successes, std::int64_t trials);

}  // namespace longbow
