// Runs the missing parts of a plan as child processes of this program.
#pragma once

#include <string>
#include <vector>

#include "longbow/core/signals.h"
#include "longbow/grid/children.h"
#include "longbow/grid/plan.h"

namespace longbow {

// Throws DataError if a model that is not done has neither its token store nor its text. `remedy` says how to get the
// text.
void check_texts(const GridPlan& plan, const std::string& remedy);

// Prepares the stores that are missing (throws Error if that fails), then trains and evaluates with at most
// request.jobs children at once. Returns the models that failed. Throws InterruptedError when a signal asks to stop.
std::vector<ChainFailure> run_missing(const GridPlan& plan, const GridRequest& request);

// Throws an Error that names the failures, with the first failed child's exit code if that is 2, 3, 4, 5 or 65, else 1.
[[noreturn]] void throw_failures(const std::vector<ChainFailure>& failures);

// Runs what `make_plan()` finds missing under the run directory's lock, and returns write(plan), which makes the tables
// and figures of what has been measured. The plan is made before the lock, to refuse what can be refused before any
// wait, and again under it, since another process may have worked meanwhile. Models that fail are thrown after that
// (throw_failures()). Throws as check_texts() and run_missing() do.
template <class MakePlan, class Write>
auto run_grid(const GridRequest& request, const std::string& remedy, MakePlan&& make_plan, Write&& write) {
    install_stop_handlers();
    check_texts(make_plan(), remedy);
    const ChildrenLock lock(request.run_dir);
    const auto plan = make_plan();
    const auto failures = run_missing(plan, request);
    auto output = write(plan);
    if (!failures.empty()) throw_failures(failures);
    return output;
}

}  // namespace longbow
