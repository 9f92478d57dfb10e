// Finds out which of a run's ranks this process is, from the launcher's environment: torchrun's, Slurm's, or that of
// `--nproc`.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace longbow {

struct Launch {
    int rank = 0, world = 1;              // among all processes of the run
    int local_rank = 0, local_world = 1;  // among those on this machine: local_rank chooses the GPU
    std::string address = "127.0.0.1";    // of the TCP store where the ranks meet
    int port = 0;
    // True if the launcher (torchrun's agent, --nproc) serves the store; rank 0 is then a client of it like the others.
    bool launcher_serves_store = false;
    // Distinguishes a restart's keys from those of the attempt before it, for stores that outlive the ranks.
    std::string attempt = "0";
    std::string source;  // "torchrun", "Slurm", "--nproc"; empty for a process that no launcher started
    [[nodiscard]] bool alone() const { return source.empty(); }
};

using Environment = std::function<const char*(const char* name)>;  // like std::getenv

// Reads RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR and MASTER_PORT (torchrun and launchers like it);
// without these, what srun sets (SLURM_STEP_NUM_TASKS, SLURM_PROCID, SLURM_LOCALID, SLURM_STEP_NODELIST; the port
// follows from the job's id unless MASTER_PORT is set). The batch script of a Slurm job is no rank, since srun did not
// start it. Throws UsageError that names a variable which is missing or not a number in its range.
Launch launch_from_environment();
Launch launch_from(const Environment& environment);

// Returns the first host of Slurm's compressed list of hosts: of "gpu[03-07,9],cpu1" it is gpu03.
std::string first_host(const std::string& nodelist);

}  // namespace longbow
