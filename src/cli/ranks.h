// Verbs that several processes can share: --nproc, torchrun and Slurm.
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

// Before run_ranked(): each rank reads these files. Throws UsageError that names one which can be read once alone (a pipe, standard input) where
// there is more than one rank.
void check_ranks_can_read(const RankOptions& options, const std::vector<std::string>& files);

// `work` in this process, as one of the ranks that a launcher started, or alone; or, with --nproc N, in N processes that this one starts
// and waits for. `timeout` in seconds, as dist.timeout. Ranks other than 0 say only what goes wrong.
int run_ranked(const RankOptions& options, const CommonOptions& common, double timeout, const std::function<int(const Ranked&)>& work);

// How many ranks the work will have: of the launcher that started this process, or --nproc's.
int ranks_to_be(const RankOptions& options);

// Of this process, for messages; 0 when alone.
int reporting_rank();

}  // namespace longbow
