// Evaluates runs on a text: each run gives a row for each way in which the text is cut and scored. The plan finds
// everything that can go wrong without a forward pass; windows are planned once for all runs that are measured alike,
// and each run's model is built once, when its turn comes. `longbow eval` adds the rows to results.jsonl
// (measure_results.h), `longbow analyze` compares them.
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

struct MeasureRequest : TextSource {
    std::vector<std::string> checkpoints;  // as load_runs() takes them
    ModelChoice model;
    // The data set's name, for rows; empty: the name in the path of the store or the text, if there is one.
    std::string data_set;
    std::vector<EvalRequest> evaluations;  // of each run, in this order; their type is replaced by the run's
    std::string device = "cpu";
    int threads = 1;
    bool only_estimates = false;  // a dry run: the store need not exist
};

// Moves the overrides among `checkpoints` to request.model. Throws UsageError as take_overrides(), if no checkpoint
// remains, and if an override and request.model.attention both choose a back-end.
void take_model_overrides(MeasureRequest& request);

// Describes a row before it is measured.
struct PlannedRow {
    const EvalPlan* plan = nullptr;
    EvalResult expected;              // without its numbers
    std::string label;                // "alibi, length 512"; with the stride if several evaluations have this length
    double flops = 0;                 // evaluation_flops()
    std::optional<EvalResult> known;  // measured before (measure_results.h)
    bool to_measure = true;           // the same on all ranks
};

struct PlannedRun {
    MeasuredRun run;
    const TokenStream* stream = nullptr;
    std::vector<PlannedRow> rows;
    std::filesystem::path partials;  // folder for partial results; empty: none are kept
};

// Holds the rows of a request. Their pointers are valid as long as this object.
class MeasurePlan {
public:
    // Loads the runs and checks lengths and windows. `warns` says whether to warn of lengths that no window reaches.
    // `check` may refuse a run for other reasons; with several runs its error gets the run's name.
    explicit MeasurePlan(MeasureRequest request, bool warns = true,
                         const std::function<void(const MeasuredRun&)>& check = {});
    MeasurePlan(const MeasurePlan&) = delete;
    MeasurePlan& operator=(const MeasurePlan&) = delete;

    [[nodiscard]] const MeasureRequest& request() const { return request_; }
    [[nodiscard]] const MeasuredText& text() const { return text_; }
    [[nodiscard]] std::deque<PlannedRun>& runs() { return runs_; }
    // Returns the FLOPs of the rows that are to be measured.
    [[nodiscard]] double flops() const;

    // Calls `work` for each run in turn and releases the run's model afterwards. With several runs, an error gets the
    // run's name.
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
    std::vector<double> nll;  // of each scored token, in stream order
};

// Measures a row and returns it with its numbers. The first row of a run builds the run's model. Losses so far are kept
// in the file `partial`, which the caller removes (empty: they are not kept). Throws what evaluate_tokens() throws.
MeasuredRow measure_row(const MeasurePlan& plan, PlannedRun& run, const PlannedRow& row,
                        const std::filesystem::path& partial, WorkProgress& progress, const EvalShare& share = {});

}  // namespace longbow
