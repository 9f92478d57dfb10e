// What the missing parts of a plan cost: in FLOPs, and in seconds of this machine.
#pragma once

#include "longbow/grid/plan.h"

namespace longbow {

// Fills in the FLOPs of what each model misses.
void count_flops(GridPlan& plan);

// Tokens of which an evaluation scores each once.
double scored_tokens(const PlannedEval& eval);

// The plan's time on this machine, by request.meter: count_flops() has been called. What the meter throws becomes plan.local_problem.
void measure_costs(GridPlan& plan, const GridRequest& request);

}  // namespace longbow
