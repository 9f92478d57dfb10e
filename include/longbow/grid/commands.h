// The commands of a plan: for child processes, a shell, or a Slurm array.
#pragma once

#include <string>
#include <vector>

#include "longbow/grid/plan.h"

namespace longbow {

// One child's arguments (without the program's name), in the order in which a model's commands must run.
struct ModelCommands {
    std::string name;
    std::vector<std::vector<std::string>> commands;
    std::vector<double> costs;  // of each, in FLOPs
};
// Those of the stores that are not there, before all others.
std::vector<std::vector<std::string>> store_commands(const GridPlan& plan, const GridRequest& request);
std::vector<ModelCommands> model_commands(const GridPlan& plan, const GridRequest& request);
// For a shell, or as a Slurm array with a task a model. `final_command` (without the program's name) is run when everything is measured.
std::string shell_script(const GridPlan& plan, const GridRequest& request, const std::vector<std::string>& final_command);
// Throws UsageError where nothing is missing.
std::string slurm_script(const GridPlan& plan, const GridRequest& request, const std::vector<std::string>& final_command);

}  // namespace longbow
