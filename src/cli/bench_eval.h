// longbow bench eval: times the evaluation of a checkpoint.
#pragma once

#include "verbs.h"

namespace longbow {

void add_bench_eval(CLI::App& group, VerbContext& context);

}  // namespace longbow
