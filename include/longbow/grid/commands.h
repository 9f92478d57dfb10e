// Lists the commands of a plan: for child processes, as a shell script, or as a Slurm array.
#pragma once

#include <string>
#include <vector>

#include "longbow/grid/plan.h"

namespace longbow {

// Lists the commands of one model: each is the arguments without the program's name, in the order in which they must
// run.
struct ModelCommands {
    std::string name;
    std::vector<std::vector<std::string>> commands;
    std::vector<double> costs;  // of each command, in FLOPs
};
// Returns the commands that prepare the missing stores. They run before all others.
std::vector<std::vector<std::string>> store_commands(const GridPlan& plan, const GridRequest& request);
std::vector<ModelCommands> model_commands(const GridPlan& plan, const GridRequest& request);
// Returns a shell script of all commands. `final_command` (without the program's name) runs when everything is
// measured.
std::string shell_script(const GridPlan& plan, const GridRequest& request,
                         const std::vector<std::string>& final_command);
// Returns a Slurm array with one task a model. Throws UsageError if nothing is missing.
std::string slurm_script(const GridPlan& plan, const GridRequest& request,
                         const std::vector<std::string>& final_command);

}  // namespace longbow
