// A grid of models, each trained once and evaluated in several ways: what of it is done, and what the rest will cost.
#pragma once

#include <compare>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/config/context.h"

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

// Where a grid's models are made, and with what.
struct GridRequest {
    std::filesystem::path run_dir;
    ConfigContext context;  // what the models' configurations may name
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
    double split_tokens = 0;         // of the whole split, as far as it is known before the store is there
    bool one_at_a_time = false;      // windows a forward pass: one, or as many as a batch holds
    std::set<std::int64_t> lengths, missing;
    double forward_tokens = 0;  // of the missing ones
    double seconds = 0;         // by the plan's assumption
    double flops = 0;           // of the missing ones, with what a pass costs whatever it computes
    auto operator<=>(const PlannedEval& other) const = default;
};

struct PlannedModel {
    std::string name;  // "wikitext103/alibi-512": its folder below the run directory
    std::string dataset, method;
    std::int64_t train_length = 0;  // as the grid calls it: in a small copy of a grid the configuration has a shorter one
    std::string timed_as;           // models of one name are alike but for their length: one of them is timed (SpeedMeter)
    std::vector<std::string> files, overrides;
    Config config;
    double tokens = 0;                                              // of the whole training
    std::int64_t updates = 0, early_updates = 0, done_updates = 0;  // early: a stop on the way; 0: none
    double train_seconds = 0;                                       // of what is missing, by the plan's assumption
    double train_flops = 0;
    std::vector<PlannedEval> early, evals;
    [[nodiscard]] bool trained() const { return done_updates >= updates; }
    [[nodiscard]] bool done() const;
};

struct GridPlan {
    std::vector<PlannedModel> models;
    std::string assumption;     // the throughput that the costs stand on
    double local_seconds = -1;  // on this machine, all jobs at work; negative: not measured
    std::string local_problem;  // why it could not be
    [[nodiscard]] double seconds() const;
};

// Training tokens an update.
double tokens_per_update(const Config& config);

// Adds an evaluation of one length; lengths that one command can do share a PlannedEval.
void add_eval(std::vector<PlannedEval>& evals, const PlannedEval& wanted, std::int64_t length);

// Fills in what of a model is done (its updates, the lengths that its evaluations miss). Throws ConfigError where its run directory holds a
// training with other settings.
void find_done(PlannedModel& model, const GridRequest& request);

// Warns of lengths that no window reaches, since only the first tokens of the split are scored.
void warn_of_unreached(const GridPlan& plan);

// A line for each model and each of its evaluations, and what is missing in all.
std::string models_text(const GridPlan& plan, const GridRequest& request);

}  // namespace longbow
