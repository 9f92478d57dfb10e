// Runs verbs on several ranks, which --nproc, torchrun or Slurm starts.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "longbow/dist/communicator.h"
#include "verbs.h"

namespace longbow {

struct RankOptions {
    int nproc = 1;
};
void add_rank_arguments(CLI::App* verb, RankOptions& options);

struct Ranked {
    std::shared_ptr<Communicator> ranks;
    std::string device;  // this rank's
    int threads = 1;
};

// Call it before run_ranked(). Each rank reads these files, so with several ranks it throws UsageError that names a
// file which can be read only once (a pipe, standard input).
void check_ranks_can_read(const RankOptions& options, const std::vector<std::string>& files);

// Runs `work` in this process, alone or as one of the ranks that a launcher started; with --nproc N, starts N processes
// that run it and waits for them. `timeout` is in seconds, like dist.timeout. Ranks other than 0 print only warnings
// and errors.
int run_ranked(const RankOptions& options, const CommonOptions& common, double timeout,
               const std::function<int(const Ranked&)>& work);

// Returns the number of ranks that the work will have, from the launcher that started this process or from --nproc.
int planned_rank_count(const RankOptions& options);

// Returns the rank of this process, for messages; 0 without ranks.
int reporting_rank();

}  // namespace longbow
