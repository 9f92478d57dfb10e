// Prints the rows of `longbow eval` as a table on the terminal.
#pragma once

#include <string>
#include <vector>

#include "longbow/eval/eval_result.h"

namespace longbow {

// Returns the table of one run's rows in at most `width` columns of a terminal. The least important columns are left
// out, and named below; a width of 0 shows all.
std::string eval_table(const std::vector<EvalResult>& rows, int width = 0);

}  // namespace longbow
