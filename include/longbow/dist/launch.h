// Which of a run's processes this one is: from torchrun's environment, Slurm's, or that of `--nproc`.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace longbow {

struct Launch {
    int rank = 0, world = 1;              // of all processes of the run
    int local_rank = 0, local_world = 1;  // of those on this machine: which GPU is this rank's
    std::string address = "127.0.0.1";    // where the ranks meet: a TCP store
    int port = 0;
    // The store is run by who started the ranks (torchrun's agent, --nproc), and rank 0 is a client of it like the others.
    bool store_is_there = false;
    std::string attempt = "0";  // keeps the keys of a restart apart from those of before, where the store outlives the ranks
    std::string source;         // "torchrun", "Slurm", "--nproc"; empty: one process alone
    [[nodiscard]] bool alone() const { return source.empty(); }
};

using Environment = std::function<const char*(const char* name)>;  // as std::getenv

// Reads RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR and MASTER_PORT (torchrun and everything like it), else what srun sets
// (SLURM_STEP_NUM_TASKS, SLURM_PROCID, SLURM_LOCALID, SLURM_STEP_NODELIST; port from the job's id unless MASTER_PORT is set). A job's batch
// script itself, which srun did not start, is alone. Throws UsageError that names a variable which is missing or no number.
Launch launch_from_environment();
Launch launch_from(const Environment& environment);

// The first host of Slurm's compressed list: "gpu[03-07,9],cpu1" is gpu03.
std::string first_host(const std::string& nodelist);

}  // namespace longbow
