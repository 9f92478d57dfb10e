// `--nproc N`: the ranks of a run as processes of this machine, without torchrun.
#pragma once

#include <string>
#include <vector>

namespace longbow {

// Starts longbow N times with these arguments (argv without its first), as ranks 0..N-1 that meet in a store of this process, and waits for
// them. SIGINT and SIGTERM go on to the ranks. When one fails the others have some seconds to end by themselves, and are
// ended then. Returns the exit code of the first that failed, 0 if none did.
int run_ranks(int nproc, const std::vector<std::string>& arguments);

}  // namespace longbow
