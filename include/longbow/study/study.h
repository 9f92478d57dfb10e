// Runs a study: trains and evaluates a grid of models over several seeds, and makes a table with the spread over seeds,
// paired differences to a baseline, a figure and a page. docs/study.md describes it for users.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "longbow/eval/eval_result.h"
#include "longbow/grid/plan.h"
#include "longbow/report/comparison.h"
#include "longbow/report/format.h"
#include "longbow/report/output_files.h"
#include "longbow/report/tables.h"
#include "longbow/study/probe_score.h"
#include "longbow/study/settings.h"

namespace longbow {

struct StudyRequest : GridRequest {
    StudySettings settings;
    std::string part;        // only this part is run; empty: the whole grid
    bool save_rows = false;  // write what is finished to settings.rows
};

// What one model of the grid is measured at: a length and a stride, with a row for each seed that has one.
struct StudyCell {
    std::int64_t length = 0, stride = 0;
    std::string absent;  // why nothing is measured here: "the positions end at 64"
    std::vector<EvalResult> rows;
};

// A number that a probe finds in a model: at one of its lengths, or one of its figures.
struct ProbeCell {
    std::string heading;             // of the column: "to L", "2L"
    std::vector<std::size_t> rows;   // of PlannedProbe::rows, over which the number is a mean
    std::string value, interval;     // where these rows have it, as JSON pointers: "/exact_match"
    std::string absent;              // why nothing is measured here: "the positions end at 42 tokens"
    std::optional<double> x;         // place in the chart; absent: none
    int digits = 3;                  // behind the point
    std::vector<std::string> about;  // what CSV says of it, in the order of the kind's columns
    Json tags;                       // what JSON says of it
    std::vector<ProbeScore> scores;  // one for each seed that has it
};

// A combination of values, one of each axis.
struct StudyVariant {
    std::string name;                        // the names of its values: "alibi", "alibi-long"
    std::vector<std::string> values;         // one of each axis
    std::vector<std::string> overrides;      // over the base, without the seed
    std::vector<std::string> at_evaluation;  // settings that its evaluations change
    Config config;                           // of the trained model, of the first seed
    std::vector<std::size_t> models;         // one a seed, in the order of all models of the grid
    std::vector<std::uint64_t> seeds;
    std::vector<bool> done;  // whether all of a seed's evaluations are measured
    std::string baseline;    // the variant that it is compared with; empty: none
    // By stride, then by length, each in the order of the settings.
    std::vector<std::vector<StudyCell>> cells;
    std::vector<ProbeCell> probe_cells;  // as many in all variants; empty without a probe
    std::vector<ProbeRow> probe_rows;    // that these have their numbers from, by seed
};

struct StudyPlan : GridPlan {  // its models are those of the requested part
    std::vector<StudyVariant> variants;
    std::string probe;                                    // its kind; empty: perplexity is measured
    std::size_t all_models = 0, done = 0, from_rows = 0;  // of the whole grid; done here, done by rows of the file
    std::vector<std::pair<std::string, std::set<std::string>>> parts;  // the models of each part
};

// Throws UsageError for an unknown part, and ConfigError: settings that the configuration refuses, or that cannot be
// changed at an evaluation, or a model without the task that is asked for (each with file and line); a model in the run
// directory that was trained with other settings.
StudyPlan plan_study(const StudyRequest& request);
// Returns the plan as text. With request.meter it estimates the time of each part on this machine.
std::string plan_text(const StudyPlan& plan, const StudyRequest& request);

// Return the scripts of grid/commands.h, ending with the command that writes the table.
std::string shell_script(const StudyPlan& plan, const StudyRequest& request);
std::string slurm_script(const StudyPlan& plan, const StudyRequest& request);

struct StudyOutput {
    std::string markdown;        // the table, for the terminal
    OutputFiles files;           // tables/NAME.{md,csv,tex,json,html}, figures/NAME.svg
    std::filesystem::path rows;  // what --save-rows wrote; empty: nothing
};
// Runs what is missing and writes the table, the figure and the page, as run_grid() does (grid/run.h), and the rows if
// asked to.
StudyOutput run_study(const StudyRequest& request);

// A number of the table and its difference to the baseline.
struct StudySummary {
    ReportCell cell;
    // To the baseline, over the seeds that both have; absent for the baseline itself and where there are no rows.
    std::optional<Comparison> difference;
    std::optional<double> adjusted_p;  // by Holm's method over all differences of the study
};
// A number of a probe over seeds, and its difference to the baseline.
struct ProbeSummary {
    std::int64_t seeds = 0;
    double mean = 0, sd = 0;
    std::optional<Interval>
        interval;            // of several seeds, for other trainings; of a single one, for other items or texts
    std::int64_t pairs = 0;  // seeds that the model and its baseline have
    double difference = 0;
    std::optional<Interval> difference_interval;  // over seeds
};
// The numbers of a study, by stride, variant and length; of a probe, by variant and cell.
struct StudyTable {
    Metric metric = Metric::ppl;  // bits per byte where the models' tokenizers differ
    std::vector<std::vector<std::vector<StudySummary>>> cells;
    std::size_t comparisons = 0;  // that the p-values are adjusted for
    std::vector<std::vector<ProbeSummary>> probes;
    std::vector<std::string> notes;  // of differences that cannot be computed
};
StudyTable summarize(const StudyPlan& plan);

std::string render_study(const StudyPlan& plan, const StudySettings& study, const StudyTable& table, TextFormat format);
// Returns an empty text if there is nothing to draw.
std::string study_svg(const StudyPlan& plan, const StudySettings& study, const StudyTable& table);

}  // namespace longbow
