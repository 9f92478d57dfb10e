// The rows of `longbow eval` as a table on the terminal.
#pragma once

#include <string>
#include <vector>

#include "longbow/eval/eval_result.h"

namespace longbow {

// Of one run's rows, in at most `width` columns of a terminal, where the least important columns are left out and
// named; 0: all of them.
std::string eval_table(const std::vector<EvalResult>& rows, int width = 0);

}  // namespace longbow
