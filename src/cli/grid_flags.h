// Flags and steps that the verbs share which run a grid of models: reproduce and study.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "longbow/grid/plan.h"
#include "verbs.h"

namespace longbow {

struct GridFlags {
    std::string run_dir, slurm;
    int jobs = 0;  // 0: the verb chooses
    int nproc = 1;
    bool dry_run = false, print_commands = false;
};

// Adds --run-dir, --jobs, --nproc, --dry-run, --print-commands and --slurm. The texts say the defaults of the first
// two.
void add_grid_flags(CLI::App* verb, GridFlags& flags, const std::string& run_dir_default,
                    const std::string& jobs_default);

// Measures the speed of one model of each group (PlannedModel::timed_as), for about `budget` seconds each.
SpeedMeter speed_meter(const GridRequest& request, double budget, const CommonOptions& common);

// What a verb does with a grid instead of running it. `commands` and `slurm` return the scripts.
struct GridTexts {
    std::function<std::string()> plan, commands, slurm;
};
// Prints or writes what the flags ask for, and returns whether they ask for anything.
bool print_instead(const GridFlags& flags, const GridTexts& texts);

// Prints the names of the files that a person opens.
void print_pictures(const std::vector<std::filesystem::path>& files);

}  // namespace longbow
