// The use case of an evaluation: runs and a text give a row for each way in which the text is cut and scored.
// Everything that can go wrong without a forward pass goes wrong in the plan; windows are planned once for all runs
// that are measured alike, and each run's model is built once, when its turn comes. `longbow eval` adds the rows to
// results.jsonl (measure_results.h), `longbow analyze` compares them.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "longbow/eval/evaluator.h"
#include "longbow/eval/measured_run.h"
#include "longbow/eval/measured_text.h"

namespace longbow {

struct MeasureRequest {
    std::vector<std::string> checkpoints;  // as load_runs() takes them
    ModelChoice model;
    std::string store;               // a token store, or else
    std::vector<std::string> files;  // text, encoded by each checkpoint's tokenizer
    std::string split = "valid";     // of the store
    std::string data_set;  // its name, for rows; empty: the one that the path of the store or text names, if it does
    std::vector<EvalRequest> evaluations;  // of each run, in this order; a run's own type takes the place of theirs
    std::string device = "cpu";
    int threads = 1;
    bool only_estimates = false;  // a dry run: the store need not be there
};

// A row before it is measured.
struct PlannedRow {
    const EvalPlan* plan = nullptr;
    EvalResult expected;              // without its numbers
    std::string label;                // "alibi, length 512"; with the stride where one length is measured by several
    double flops = 0;                 // evaluation_flops()
    std::optional<EvalResult> known;  // measured before (measure_results.h)
    bool to_measure = true;           // the same on all ranks
};

struct PlannedRun {
    MeasuredRun run;
    const TokenStream* stream = nullptr;
    std::vector<PlannedRow> rows;
    std::filesystem::path partials;  // where what is done of a row is kept; empty: nowhere
};

// The rows of a request. What they point to lives as long as this.
class MeasurePlan {
public:
    // Loads the runs and checks lengths and windows. `warns`: of lengths that no window reaches. `check`: what else may
    // refuse a run; what it throws has the run's name where there are several.
    explicit MeasurePlan(MeasureRequest request, bool warns = true,
                         const std::function<void(const MeasuredRun&)>& check = {});
    MeasurePlan(const MeasurePlan&) = delete;
    MeasurePlan& operator=(const MeasurePlan&) = delete;

    [[nodiscard]] const MeasureRequest& request() const { return request_; }
    [[nodiscard]] const MeasuredText& text() const { return text_; }
    [[nodiscard]] std::deque<PlannedRun>& runs() { return runs_; }
    // FLOPs of the rows that are to be measured.
    [[nodiscard]] double flops() const;

    // Does the work of each run in turn, with its name in what goes wrong where there are several, and lets its model
    // go afterwards.
    void each_run(const std::function<void(PlannedRun&)>& work);

private:
    void plan_rows(PlannedRun& planned);

    MeasureRequest request_;
    MeasuredText text_;
    EvalPlans windows_;
    std::deque<PlannedRun> runs_;
};

struct MeasuredRow {
    EvalResult row;
    std::vector<float> nll;  // of each scored token, in stream order
};

// The row with its numbers, and what measuring it took; the run's first builds its model. What is done is kept in the
// file `partial` until the caller removes it (empty: it is not kept). Throws what evaluate_tokens() throws.
MeasuredRow measure_row(const MeasurePlan& plan, PlannedRun& run, const PlannedRow& row,
                        const std::filesystem::path& partial, WorkProgress& progress, const EvalShare& share = {});

}  // namespace longbow
