// What `eval --dry-run` and `analyze --dry-run` say: the work, and how long it will take here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longbow/eval/evaluator.h"
#include "measured_run.h"

namespace longbow {

// One evaluation of a run.
struct EstimatedWork {
    const EvalPlan* plan;
    std::string done;  // why it will take no time; empty: it will
};

struct WorkEstimate {
    std::string text;  // a table, a line an evaluation
    double seconds = 0;
};

// Times the run's model on the device for about `budget` seconds; `width` as for eval_table().
WorkEstimate estimate_work(MeasuredRun& run, const TokenStream& stream, const std::vector<EstimatedWork>& work, const std::string& device,
                           double budget, int width);

constexpr double kDryRunSeconds = 2;                // of passes timed, for all runs
constexpr std::int64_t kAssumedTokens = 1'000'000;  // where there is no store
// That the tokens are assumed, where they are.
std::string assumed_text(const MeasuredText& text, const std::string& store, int width);

// The last line, for all runs: the whole's time on this machine, and how it was found.
std::string estimate_total(double seconds, const std::string& device, int threads);

}  // namespace longbow
