// Runs what a plan misses, as child processes of this program.
#pragma once

#include <string>
#include <vector>

#include "longbow/grid/children.h"
#include "longbow/grid/plan.h"

namespace longbow {

// Throws DataError where a store is missing and its text too; `remedy` says how to get the text.
void check_texts(const GridPlan& plan, const std::string& remedy);

// Prepares the stores that are missing (throws Error where that fails), then trains and evaluates, with at most request.jobs children at once.
// Gives the models that failed. Throws InterruptedError when a stop is asked for.
std::vector<ChainFailure> run_missing(const GridPlan& plan, const GridRequest& request);

// Throws an Error that names them, with the first child's exit code where it is 2, 3, 4, 5 or 65, else 1.
[[noreturn]] void throw_failures(const std::vector<ChainFailure>& failures);

}  // namespace longbow
