// Computes the cost of the missing parts of a plan, in FLOPs and in seconds on this machine.
#pragma once

#include "longbow/grid/plan.h"

namespace longbow {

// Returns the size of the vocabulary as the settings or their task say it; 1 if they do not.
std::int64_t assumed_vocab_size(const Config& config);

// Fills in the FLOPs of the missing parts of each model.
void count_flops(GridPlan& plan);

// Returns the number of tokens that an evaluation scores, each once.
double scored_tokens(const PlannedEval& eval);

// Estimates the plan's time on this machine with request.meter, after count_flops(). An exception of the meter is not
// thrown on: its message becomes plan.local_problem.
void measure_costs(GridPlan& plan, const GridRequest& request);

}  // namespace longbow
