// Reproduces the paper's tables and figures: which models and evaluations they need, what of it is done, what the rest
// will cost, and the commands that do it. Training and evaluation run as child processes of the same program, so that
// an interruption at any point costs little.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "longbow/grid/plan.h"
#include "longbow/paper/targets.h"
#include "longbow/report/output_files.h"

namespace longbow {

struct ReproduceRequest : GridRequest {
    std::vector<std::string> names;  // table1 .., figure1 .., wikitext103, bookcorpus, cc100, all
    Scale scale;
    std::filesystem::path configs;       // folder of wikitext103/, bookcorpus/, cc100/, demo/
    std::vector<std::string> overrides;  // key.sub=value, applied to every training
};

struct ReproducePlan : GridPlan {
    std::vector<std::string> tables, figures;  // "table5", "figure1"
};

// Throws UsageError for unknown names, and ConfigError, also if a model in the run directory was trained with other
// settings.
ReproducePlan plan_reproduction(const ReproduceRequest& request);
std::string plan_text(const ReproducePlan& plan, const ReproduceRequest& request);

// Returns the scripts of grid/commands.h, ending with the command that writes the tables and figures.
std::string shell_script(const ReproducePlan& plan, const ReproduceRequest& request);
std::string slurm_script(const ReproducePlan& plan, const ReproduceRequest& request);

// Holds one of the paper's statements, checked against our numbers.
struct Claim {
    std::string text;
    double ratio = 0, bound = 0;
    bool holds = false;
};
struct ReproductionOutput {
    std::string markdown;  // the tables, for the terminal
    OutputFiles files;     // tables/*.{md,csv,tex,json,html}, figures/*.svg
    std::vector<Claim> claims;
};
// Writes the tables and figures from what has been measured so far.
ReproductionOutput write_reproduction(const ReproducePlan& plan, const ReproduceRequest& request);

// Plans, runs what is missing with at most request.jobs children at once, and writes the tables and figures. A run
// directory takes one such process at a time; a second one waits. On SIGINT or SIGTERM the children save and stop, and
// InterruptedError is thrown. A child that fails ends its model only: the tables and figures are written from the
// others, and then an Error is thrown with the child's exit code if that is 2, 3, 4, 5 or 65, else 1. Throws DataError
// if a store is missing and its text is missing too.
ReproductionOutput reproduce(const ReproduceRequest& request);

}  // namespace longbow
