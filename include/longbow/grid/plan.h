// Plans a grid of models, each of which is trained once and evaluated in several ways. The plan says which parts are
// done already and what the rest will cost.
#pragma once

#include <compare>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/config/context.h"
#include "longbow/core/json.h"
#include "longbow/eval/eval_result.h"

namespace longbow {

// Says how fast this machine trains and evaluates a model, from which the plan's time is estimated.
struct LocalSpeed {
    double update_seconds = 0;       // of one whole update of the configuration
    std::vector<double> evaluation;  // seconds for each FLOP (model/flops.h), one for each timed evaluation
};
// Describes a kind of evaluation whose speed is to be measured.
struct TimedEval {
    std::int64_t length = 0, stride = 0;
    bool one_at_a_time = false;
    auto operator<=>(const TimedEval& other) const = default;
};
using SpeedMeter =
    std::function<LocalSpeed(const Config& config, std::int64_t vocab_size, const std::vector<TimedEval>& evals)>;

// Says where a grid's models are trained, and with what resources.
struct GridRequest {
    std::filesystem::path run_dir;
    ConfigContext context;  // what the models' configurations may name
    std::string device = "auto";
    int threads = 0;   // of each child; 0: the child chooses
    int nproc = 1;     // ranks of each child
    int jobs = 1;      // children that run at once
    SpeedMeter meter;  // if set, the plan also estimates the time on this machine
};

// Lists the evaluations of one model that a single command does.
struct PlannedEval {
    std::string file;  // in the run's folder: results.jsonl, early.jsonl, speed.jsonl
    std::string split;
    std::int64_t stride = 0;             // 0: non-overlapping
    std::int64_t stream_tokens = 0;      // 0: the whole split
    double split_tokens = 0;             // of the whole split, as far as known before the store exists
    bool one_at_a_time = false;          // whether a forward pass has one window, or as many as fit a batch
    std::vector<std::string> overrides;  // settings of the model that the evaluation changes
    std::set<std::int64_t> lengths, missing;
    double forward_tokens = 0;  // that the missing evaluations pass through the model
    double seconds = 0;         // from the plan's assumed throughput
    double flops = 0;           // of the missing ones, including a fixed cost for each pass
    auto operator<=>(const PlannedEval& other) const = default;
};

// What `longbow probe` measures of one trained model. The grid runs its command; which rows are its own, its owner
// says.
struct PlannedProbe {
    std::string kind;  // the verb below `longbow probe`: "tasks"
    std::string file;  // in the run's folder, to which the command appends its rows: probes.jsonl
    std::int64_t items = 0;
    std::uint64_t seed = 0;
    std::vector<std::string> overrides{};  // settings of the model that the probe changes
    std::vector<std::string> arguments{};  // of the command, besides items and seed: "--lengths", "64,128"
    std::vector<Json> rows{};              // what each of its rows has: {"length": 64}
    // Tokens of the longest item at each of the probe's lengths, and the share of these that the mean item has.
    std::vector<std::int64_t> tokens{};
    double mean_share = 1;
    bool missing = true;  // whether a row is
    double flops = 0;     // if it is missing
};

struct PlannedModel {
    std::string name;  // "wikitext103/alibi-512": its folder below the run directory
    std::string dataset, method;
    std::string data_set;  // the data set's name in rows (eval --data-set); empty: the one in the store's path
    // As the grid names it; the configuration of a scaled-down grid has a shorter one.
    std::int64_t train_length = 0;
    // Models with the same name here differ only in length, so one of them is timed (SpeedMeter).
    std::string timed_as;
    std::vector<std::string> files, overrides;
    Config config;
    double tokens = 0;  // of the whole training
    // early_updates is an intermediate stop at which the `early` evaluations are made; 0: none.
    std::int64_t updates = 0, early_updates = 0, done_updates = 0;
    // Costs of the missing updates, from the plan's assumed throughput.
    double train_seconds = 0;
    double train_flops = 0;
    std::vector<PlannedEval> early, evals;
    std::vector<PlannedProbe> probes;
    [[nodiscard]] bool trained() const { return done_updates >= updates; }
    [[nodiscard]] bool done() const;
};

struct GridPlan {
    std::vector<PlannedModel> models;
    std::string assumption;     // the assumed throughput behind the costs
    double local_seconds = -1;  // on this machine with all jobs running; negative: not measured
    std::string local_problem;  // why it could not be measured
    [[nodiscard]] double seconds() const;
};

// Returns the training tokens of one update.
double tokens_per_update(const Config& config);

// Loads the configuration of a model from its files and overrides, and computes its updates and tokens. Throws
// ConfigError, also for a train.stop whose updates cannot be known before the training.
void load_planned(PlannedModel& model, const ConfigContext& context);

// Returns whether a row is what the evaluation of the model measures at this length. It says nothing about the model's
// weights.
bool is_row_of(const EvalResult& row, const PlannedModel& model, const PlannedEval& eval, std::int64_t length);

// Adds an evaluation at one length. Lengths that one command can evaluate share a PlannedEval.
void add_eval(std::vector<PlannedEval>& evals, const PlannedEval& wanted, std::int64_t length);

// Fills in what a model has done already: its updates, and the lengths that its evaluations miss. Probes are left as
// they are. Throws ConfigError if its run directory holds a training with other settings.
void find_done(PlannedModel& model, const GridRequest& request);

// Returns whether a file in the run's folder is at least as new as the run's newest checkpoint. Rows that are older may
// belong to other weights, so they do not count as done.
bool is_newer(const std::filesystem::path& file, const std::filesystem::path& run);

// Warns of lengths for which the scored tokens are too few for a single window (--max-stream-tokens limits them).
void warn_of_unreached(const GridPlan& plan);

// Returns the estimate of measure_costs() as a line; empty if there is none.
std::string local_time_text(const GridPlan& plan, const GridRequest& request);

// Returns a line for each model and each of its evaluations, and what is missing in total.
std::string models_text(const GridPlan& plan, const GridRequest& request);

}  // namespace longbow
