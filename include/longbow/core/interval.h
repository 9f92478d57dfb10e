// Intervals for means of series whose neighbours are alike (losses of consecutive tokens): the series is cut into blocks of 1,024, whose
// means count as independent, and Student's t with the degrees of freedom that so few blocks leave gives the width. Closed forms, no
// resampling: a percentile bootstrap of 5 blocks finds a false difference in 16 of 100 cases, of 10 blocks in 10. docs/evaluation.md states
// the method, tests/unit/core/interval_test.cpp its error rates.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace longbow {

inline constexpr std::int64_t kIntervalBlock = 1024;  // consecutive targets a block
// Fewer blocks give no interval and no verdict: whether losses of so little text are anything like normal cannot be seen.
inline constexpr std::int64_t kLeastBlocks = 10;
inline constexpr const char* kIntervalMethod = "student-t";     // as rows of results.jsonl name it
inline constexpr const char* kOldIntervalMethod = "bootstrap";  // of rows that name none: 1,000 resamples of blocks, before Student's t

struct Interval {
    double low = 0, high = 0;
};

// Sums of `values` over blocks of kIntervalBlock; the last block may be shorter.
std::vector<double> block_sums(std::span<const float> values);

// What each block weighs in a mean: kIntervalBlock, and the rest for the last. `values` is the length of the whole series.
std::vector<double> block_counts(std::int64_t values);

struct MeanEstimate {
    double mean = 0;
    std::int64_t blocks = 0, seeds = 0;
    std::optional<Interval> interval;  // 95 %; none below kLeastBlocks, nor where a sum is not finite
    // Whether the interval lies to one side of 0.
    [[nodiscard]] bool clear() const { return interval && (interval->low > 0 || interval->high < 0); }
};

// The mean of a series a unit of weight, from sums[seed][block] over the same blocks of every seed (one seed: one series) and the blocks'
// weights. Blocks and seeds are both samples: with several seeds the interval holds for other seeds and other text, with one seed for
// other text alone. Throws Error where the sizes do not agree or a weight is negative.
MeanEstimate mean_estimate(const std::vector<std::vector<double>>& sums, const std::vector<double>& weights);

// Two-sided, of a mean of 0: the level at which mean_estimate's interval would end at 0. Absent where there is no interval.
std::optional<double> p_value(const std::vector<std::vector<double>>& sums, const std::vector<double>& weights);

}  // namespace longbow
