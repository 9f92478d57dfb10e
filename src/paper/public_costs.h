// What the parts of `longbow reproduce public` share.
#pragma once

#include "longbow/paper/public_study.h"

namespace longbow {

// Returns the plan as one of a grid in which nothing is to be trained, with a model for each entry and an evaluation
// for each missing length, so that its cost is counted as a grid's.
GridPlan as_grid(const PublicPlan& plan, const PublicRequest& request);

// Returns the stride of an evaluation at this length.
std::int64_t stride_at(const PublicSettings& settings, std::int64_t length);

}  // namespace longbow
