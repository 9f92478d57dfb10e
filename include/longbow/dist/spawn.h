// Implements `--nproc N`: starts the ranks of a run as processes of this machine, without torchrun.
#pragma once

#include <string>
#include <vector>

namespace longbow {

// Starts longbow N times with these arguments (argv without its first element) as ranks 0..N-1, which meet in a TCP
// store that this process serves, and waits for them. SIGINT and SIGTERM are passed on to the ranks. When one rank
// fails, the others have 10 seconds to end by themselves before they are terminated. Returns the exit code of the first
// rank that failed (a more specific code than 1 takes its place), or 0 if none did.
int run_ranks(int nproc, const std::vector<std::string>& arguments);

}  // namespace longbow
