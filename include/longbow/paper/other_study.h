// Reproduces tables of other papers: plans and runs the trainings of the authors' recipes that a table needs, and
// writes our numbers beside the published ones. Of tables whose models are published checkpoints it shows the numbers
// and the commands that measure such a checkpoint.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "longbow/grid/plan.h"
#include "longbow/paper/other_papers.h"
#include "longbow/report/format.h"
#include "longbow/report/output_files.h"

namespace longbow {

struct OtherRequest : GridRequest {
    std::vector<const OtherTable*> tables;
    std::filesystem::path configs;       // folder of the papers' folders
    std::vector<std::string> overrides;  // key.sub=value, applied to every training
    std::int64_t max_stream_tokens = 0;  // scored of each split at most; 0: as the authors score
};

struct OtherPlan : GridPlan {
    // The models of each of a table's rows, one a seed; none of rows that are not trained here.
    std::vector<std::vector<std::vector<std::size_t>>> models_of;  // [table][row][seed]
};

// Throws UsageError if a configuration is not there, and ConfigError, also if a model in the run directory was trained
// with other settings. A store that is missing is no error of the plan.
OtherPlan plan_other(const OtherRequest& request);
std::string plan_text(const OtherPlan& plan, const OtherRequest& request);

// Return the scripts of grid/commands.h, ending with the command that writes the tables. Throw UsageError as
// reproduce_other() does.
std::string shell_script(const OtherPlan& plan, const OtherRequest& request);
std::string slurm_script(const OtherPlan& plan, const OtherRequest& request);

// Returns the published numbers, with ours where the plan's models have been measured; nullptr: the published alone.
std::string render_other_table(const OtherTable& table, const OtherPlan* plan, const OtherRequest& request,
                               TextFormat format);

struct OtherOutput {
    std::string markdown;  // the tables, for the terminal
    OutputFiles files;     // tables/NAME.{md,csv,tex,json,html}
};
// Plans, runs what is missing and writes the tables, as reproduce() does (reproduce.h), and throws as that does:
// DataError if there is no token store and no text for it; UsageError if a table's models are not trained here.
OtherOutput reproduce_other(const OtherRequest& request);

}  // namespace longbow
