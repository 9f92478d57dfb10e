// What the parts of `longbow reproduce` share.
#pragma once

#include <string>
#include <vector>

#include "longbow/paper/reproduce.h"

namespace longbow {

struct Goals {
    std::vector<std::string> tables, figures;
    std::vector<Target> targets;  // each once
    std::vector<Target> trained;  // models whose validations through training are drawn (Figure 5)
};
// From names to what has to be measured. Throws UsageError that names the known ones.
Goals goals_of(const std::vector<std::string>& names, const Scale& scale);

// Fills in the seconds of what is missing, and the plan's assumption.
void estimate_costs(ReproducePlan& plan, const Scale& scale);

// The plan's time on this machine, by request.meter.
void measure_costs(ReproducePlan& plan, const ReproduceRequest& request);

// Training tokens an update.
double tokens_per_update(const Config& config);

}  // namespace longbow
