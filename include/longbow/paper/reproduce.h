// The paper's tables and figures made anew: which models they need, which evaluations, what of it is done, what the rest will cost, and the
// commands that do it. Training and evaluation are child processes of the same program, so that an interruption at any point costs little.
#pragma once

#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/config/load.h"
#include "longbow/paper/paper.h"

namespace longbow {

// How fast this machine is at a model, for the time that a plan will take.
struct LocalSpeed {
    double update_seconds = 0;       // of a whole update of the configuration
    std::vector<double> evaluation;  // seconds for each FLOP (model/flops.h), one a timed evaluation
};
struct TimedEval {
    std::int64_t length = 0, stride = 0;
    bool one_at_a_time = false;
    auto operator<=>(const TimedEval& other) const = default;
};
using SpeedMeter = std::function<LocalSpeed(const Config& config, std::int64_t vocab_size, const std::vector<TimedEval>& evals)>;

struct ReproduceRequest {
    std::vector<std::string> names;  // table1 .., figure1 .., wikitext103, bookcorpus, cc100, all
    Scale scale;
    std::filesystem::path run_dir;
    std::filesystem::path configs;       // folder of wikitext103/, bookcorpus/, cc100/, demo/
    std::vector<std::string> overrides;  // key.sub=value, for every training
    ConfigContext context;               // what the models' configurations may name
    std::string device = "auto";
    int threads = 0;   // of each child; 0: it chooses
    int nproc = 1;     // ranks of each child
    int jobs = 1;      // children at once
    SpeedMeter meter;  // where given, the plan has this machine's time too
};

// Evaluations of one model that one command does.
struct PlannedEval {
    std::string file;  // in the run: results.jsonl, early.jsonl, speed.jsonl
    std::string split;
    std::int64_t stride = 0;         // 0: non-overlapping
    std::int64_t stream_tokens = 0;  // 0: the whole split
    bool one_at_a_time = false;      // windows a forward pass: one, as the paper's --max-sentences 1; else batches
    std::set<std::int64_t> lengths, missing;
    double forward_tokens = 0;  // of the missing ones
    double seconds = 0;         // by the plan's assumption
    double flops = 0;
    auto operator<=>(const PlannedEval& other) const = default;
};

struct PlannedModel {
    std::string name;  // "wikitext103/alibi-512": its folder below the run directory
    std::string dataset, method;
    std::int64_t train_length = 0;  // the paper's
    std::vector<std::string> files, overrides;
    Config config;
    double tokens = 0;                                              // of the whole training
    std::int64_t updates = 0, early_updates = 0, done_updates = 0;  // early: Table 11's stop; 0: none
    double train_seconds = 0;                                       // of what is missing, by the plan's assumption
    double train_flops = 0;
    std::vector<PlannedEval> early, evals;
    [[nodiscard]] bool trained() const { return done_updates >= updates; }
    [[nodiscard]] bool done() const;
};

struct ReproducePlan {
    std::vector<std::string> tables, figures;  // "table5", "figure1"
    std::vector<PlannedModel> models;
    std::string assumption;     // the throughput that the costs stand on
    double local_seconds = -1;  // on this machine, all jobs at work; negative: not measured
    std::string local_problem;  // why it could not be
    [[nodiscard]] double seconds() const;
};

// Throws UsageError (unknown names), ConfigError (also where a model of the run directory was trained with other settings).
ReproducePlan plan_reproduction(const ReproduceRequest& request);
std::string plan_text(const ReproducePlan& plan, const ReproduceRequest& request);

// One child's arguments (without the program's name), in the order in which a model's commands must run.
struct ModelCommands {
    std::string name;
    std::vector<std::vector<std::string>> commands;
    std::vector<double> costs;  // of each, in FLOPs
};
// Those of the stores that are not there, before all others.
std::vector<std::vector<std::string>> store_commands(const ReproducePlan& plan, const ReproduceRequest& request);
std::vector<ModelCommands> model_commands(const ReproducePlan& plan, const ReproduceRequest& request);
// For a shell, or as a Slurm array with a task a model.
std::string shell_script(const ReproducePlan& plan, const ReproduceRequest& request);
std::string slurm_script(const ReproducePlan& plan, const ReproduceRequest& request);

struct Claim {
    std::string text;
    double ratio = 0, bound = 0;
    bool holds = false;
};
struct ReproductionOutput {
    std::string markdown;                      // the tables, for the terminal
    std::vector<std::filesystem::path> files;  // tables/*.{md,csv,json,html}, figures/*.svg
    std::vector<Claim> claims;
};
// Writes the tables and figures from what has been measured so far.
ReproductionOutput write_reproduction(const ReproducePlan& plan, const ReproduceRequest& request);

// Plans, runs what is missing with at most request.jobs children at once, and writes. One process a run directory: a second one waits. On
// SIGINT or SIGTERM the children save and stop, and InterruptedError is thrown; a child that fails ends its model only: tables and figures are
// written from the others, and then an Error is thrown with the child's exit code where it is 2, 3, 4, 5 or 65, else 1. Throws DataError where a
// store is missing and its text too.
ReproductionOutput reproduce(const ReproduceRequest& request);

}  // namespace longbow
