// std::cout of the program: a write that waits for a pipe's reader is given up when SIGINT or SIGTERM comes, and what went wrong is kept.
#pragma once

#include <string>

namespace longbow {

// In main(): std::cout writes to descriptor 1 by this from now on.
void guard_standard_output();
// Why standard output takes no more; empty while it does.
std::string standard_output_error();

}  // namespace longbow
