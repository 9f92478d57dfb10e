// Measures how fast this machine trains and evaluates a model, with a second or two of the product's own updates and
// forward passes. Dry runs base their times on it.
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
    const TokenStream* stream = nullptr;   // whose tokens are computed on; nullptr: generated ones
    std::vector<EvalRequest> evaluations;  // timed as well
    std::string device = "cpu";
    double budget = 2;  // seconds of timed work, approximately
};

struct MachineSpeed {
    double update_seconds = 0;       // of a whole update: all micro-batches and the optimizer's step
    double flop_seconds = 0;         // for each FLOP of a training pass (flops.h; backward included)
    std::vector<double> evaluation;  // seconds for each FLOP, one a request
    // Layers of the timed model; fewer than the configuration's if an update would take too long.
    std::int64_t layers = 0;
};

// Makes the model with random weights, in the configuration's type and with its attention, and runs updates as a run
// does. If a micro-batch would take longer than the budget, a part of it is timed (fewer rows, then layers, then
// tokens) and scaled by FLOPs.
MachineSpeed measure_speed(const SpeedRequest& request);

}  // namespace longbow
