// Prints the output of `eval --dry-run` and `analyze --dry-run`: the work, and how long it will take on this machine.
#pragma once

#include <string>

#include "longbow/eval/measure.h"

namespace longbow {

// Prints a table for each run, whose unmeasured evaluations are timed on the plan's device for some seconds in all, and
// the total time on this machine.
void print_estimates(MeasurePlan& plan);

}  // namespace longbow
