// How fast this machine trains and evaluates a model, by a second or two of its own updates and forward passes: what dry runs tell times by.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/data/token_store.h"
#include "longbow/eval/evaluator.h"

namespace longbow {

struct SpeedRequest {
    Config config;
    std::int64_t vocab_size = 0;
    const TokenStream* stream = nullptr;   // whose tokens are computed; nullptr: made-up ones
    std::vector<EvalRequest> evaluations;  // to be timed too
    std::string device = "cpu";
    double budget = 2;  // seconds of timed work, about
};

struct MachineSpeed {
    double update_seconds = 0;       // of a whole update: all micro-batches, the optimizer's step
    double flop_seconds = 0;         // of a training pass, for each of its FLOPs (flops.h; backward included)
    std::vector<double> evaluation;  // seconds for each FLOP, one a request
    std::int64_t layers = 0;         // of the model that was timed: fewer than the configuration's where an update would take too long
};

// The model is made with random weights, in the configuration's type and attention, and goes through updates as a run does. A micro-batch
// that would take longer than the budget is timed in part (fewer rows, then layers, then tokens) and scaled by FLOPs.
MachineSpeed measure_speed(const SpeedRequest& request);

}  // namespace longbow
