// What `longbow eval` measures: the rows of each run, planned and checked before the first forward pass.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "longbow/eval/evaluator.h"
#include "longbow/eval/results_output.h"
#include "longbow/telemetry/progress.h"
#include "measured_run.h"
#include "ranks.h"

namespace longbow {

struct EvalFlags {
    RankOptions ranks;
    std::vector<std::string> checkpoints;
    std::string data, split = "valid", out, token_logprobs;
    ModelChoice model;
    std::vector<std::string> text;
    std::vector<std::int64_t> lengths;
    EvalRequest request;
    bool json = false, again = false, dry_run = false;
};

struct PlannedRow {
    const EvalPlan& plan;
    EvalResult expected;              // the row without its numbers
    std::optional<EvalResult> known;  // in the results already, on the leader
    bool to_measure = true;           // the same on all ranks
    double flops = 0;
};
struct PlannedRun {
    MeasuredRun& run;
    const TokenStream& stream;
    std::shared_ptr<ResultsOutput> results;  // the leader's
    std::filesystem::path partials;          // where what is done of a row is kept; empty: nowhere
    std::vector<PlannedRow> rows;
};

// Loads the runs and checks everything that can go wrong without a forward pass: lengths, windows, outputs (not for a dry run).
std::vector<MeasuredRun> load_eval_runs(const EvalFlags& flags, MeasuredText& text, EvalPlans& plans, bool leader);
std::vector<PlannedRun> plan_rows(const EvalFlags& flags, std::vector<MeasuredRun>& runs, MeasuredText& text, EvalPlans& windows,
                                  const Ranked& ranked);
// FLOPs of the rows that are to be measured.
double flops_of(const std::vector<PlannedRun>& plans);

// Measures what the run lacks and adds it to its results; on the leader its rows come back. With flags.json each is printed as it comes.
std::vector<EvalResult> measure(const EvalFlags& flags, PlannedRun& plan, WorkProgress& progress, const Ranked& ranked);

}  // namespace longbow
