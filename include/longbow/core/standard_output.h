// Guards std::cout: a write that waits for a pipe's reader ends when SIGINT or SIGTERM comes, and the error is kept for
// main() to report.
#pragma once

#include <string>

namespace longbow {

// Makes std::cout write to descriptor 1 with this guard. main() calls it once.
void guard_standard_output();
// Returns why standard output takes no more, or an empty text while it does.
std::string standard_output_error();

}  // namespace longbow
