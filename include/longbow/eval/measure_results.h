// Measures into results.jsonl: rows that it has already are not measured again, interrupted evaluations are resumed,
// and no output overwrites what is measured.
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
    std::string token_logprobs;  // pattern for logprobs_path(); empty: none
    bool again = false;          // also measure rows that are known
};

class ResultsMeasurement {
public:
    // Loads the runs, checks outputs and plans, on each rank. `ranks` must outlive this object. With
    // request.only_estimates, outputs are at most read. Throws UsageError for an output that would overwrite a text,
    // one of a run's own files, or another output.
    ResultsMeasurement(ResultsRequest request, Communicator& ranks);

    [[nodiscard]] MeasurePlan& plan() { return plan_; }
    // Returns whether the run's rows go to standard output, so that nothing else may be printed there. Only the leader
    // may call it.
    [[nodiscard]] bool uses_standard_output(const PlannedRun& run) const;

    // Measures what the results lack and adds it to them. On the leader, `row_done` is called with each row, measured
    // or known, and `run_done` with all rows of a run.
    void measure(const std::function<void(const PlannedRun&, const EvalResult&)>& row_done,
                 const std::function<void(const PlannedRun&, const std::vector<EvalResult>&)>& run_done);

private:
    void check_outputs(const MeasuredRun& run);
    [[noreturn]] void refuse_logprobs_of_several() const;
    void check_logprobs();
    void find_known(PlannedRun& run);
    [[nodiscard]] std::string results_of(const MeasuredRun& run) const;
    EvalResult measure_planned(PlannedRun& run, const PlannedRow& row, WorkProgress& progress);

    ResultsRequest request_;
    Communicator& ranks_;
    std::string first_;  // the run whose log-probabilities a file without {run} in its name is for
    MeasurePlan plan_;
    // On the leader, by results_of(); several runs may share one.
    std::map<std::string, std::shared_ptr<ResultsOutput>> outputs_;
};

}  // namespace longbow
