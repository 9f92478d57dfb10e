// How long evaluations will take on this machine, from a few of their windows.
#pragma once

#include <vector>

#include "longbow/data/token_store.h"
#include "longbow/eval/evaluator.h"
#include "longbow/model/language_model.h"

namespace longbow {

// Seconds of a model's forward passes for each of their FLOPs (flops.h), at one request after the other. Some windows of each, as they would
// be scored (same type, products and attention), go through the model for about `budget` seconds in all; where a single window would take
// longer, the speed of the longest request that was timed stands for it.
std::vector<double> seconds_per_flop(LanguageModel& model, const TokenStream& stream, const std::vector<const EvalPlan*>& plans,
                                     double budget);

}  // namespace longbow
