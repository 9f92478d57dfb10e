// What `eval --dry-run` and `analyze --dry-run` say: the work, and how long it will take here.
#pragma once

#include <string>

#include "longbow/eval/measure.h"

namespace longbow {

// Prints a table a run, with its evaluations that are yet to be measured timed on the plan's device for some seconds in
// all, and the whole's time on this machine.
void print_estimates(MeasurePlan& plan);

}  // namespace longbow
