// Runs the missing parts of a plan as child processes of this program.
#pragma once

#include <string>
#include <vector>

#include "longbow/grid/children.h"
#include "longbow/grid/plan.h"

namespace longbow {

// Throws DataError if a token store is missing and its text is missing too. `remedy` says how to get the text.
void check_texts(const GridPlan& plan, const std::string& remedy);

// Prepares the stores that are missing (throws Error if that fails), then trains and evaluates with at most
// request.jobs children at once. Returns the models that failed. Throws InterruptedError when a signal asks to stop.
std::vector<ChainFailure> run_missing(const GridPlan& plan, const GridRequest& request);

// Throws an Error that names the failures, with the first failed child's exit code if that is 2, 3, 4, 5 or 65, else 1.
[[noreturn]] void throw_failures(const std::vector<ChainFailure>& failures);

}  // namespace longbow
