// Estimates how long evaluations will take on this machine, from a few of their windows.
#pragma once

#include <vector>

#include "longbow/data/token_store.h"
#include "longbow/eval/evaluator.h"
#include "longbow/model/language_model.h"

namespace longbow {

// Returns the seconds that the model's forward passes take for each FLOP (flops.h), one number for each plan. Some
// windows of each plan go through the model as they would be scored (same type, products and attention), for about
// `budget` seconds in all. A plan whose single window would take too long gets the speed of the longest plan that was
// timed.
std::vector<double> seconds_per_flop(LanguageModel& model, const TokenStream& stream,
                                     const std::vector<const EvalPlan*>& plans, double budget);

}  // namespace longbow
