// longbow bench attention: measures time, speed and memory of the attention back-ends, side by side.
#pragma once

#include "verbs.h"

namespace longbow {

void add_bench_attention(CLI::App& group, VerbContext& context);

}  // namespace longbow
