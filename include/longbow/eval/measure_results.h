// Measurements into results.jsonl: what is in it already is not measured again, what was interrupted goes on, and no
// output takes the place of what is measured.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "longbow/dist/communicator.h"
#include "longbow/eval/measure.h"
#include "longbow/eval/results_output.h"

namespace longbow {

struct ResultsRequest : MeasureRequest {
    std::string out;             // takes all rows; empty: each run's own results.jsonl
    std::string token_logprobs;  // logprobs_path()'s pattern; empty: none
    bool again = false;          // measure what is known too
};

class ResultsMeasurement {
public:
    // Loads, checks and plans, on each rank, which must outlive this. With request.only_estimates outputs are read at
    // most. Throws UsageError for an output that would take the place of a text, of a run's own files, or of another
    // output.
    ResultsMeasurement(ResultsRequest request, Communicator& ranks);

    [[nodiscard]] MeasurePlan& plan() { return plan_; }
    // The run's rows go to standard output, so that nothing else may. On the leader.
    [[nodiscard]] bool uses_standard_output(const PlannedRun& run) const;

    // Measures what the results lack and adds it to them. On the leader `row_done` sees each row, measured or known,
    // and `run_done` all of a run's.
    void measure(const std::function<void(const PlannedRun&, const EvalResult&)>& row_done,
                 const std::function<void(const PlannedRun&, const std::vector<EvalResult>&)>& run_done);

private:
    void check_outputs(const MeasuredRun& run) const;
    void check_logprobs();
    void find_known(PlannedRun& run);
    [[nodiscard]] std::string results_of(const MeasuredRun& run) const;
    EvalResult measure_planned(PlannedRun& run, const PlannedRow& row, WorkProgress& progress);

    ResultsRequest request_;
    Communicator& ranks_;
    MeasurePlan plan_;
    std::map<std::string, std::shared_ptr<ResultsOutput>>
        outputs_;  // the leader's, by results_of(): of several runs maybe one
};

}  // namespace longbow
