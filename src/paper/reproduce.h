// Declarations that the parts of `longbow reproduce` share.
#pragma once

#include <string>
#include <vector>

#include "longbow/paper/reproduce.h"

namespace longbow {

struct Goals {
    std::vector<std::string> tables, figures;
    std::vector<Target> targets;  // each once
    std::vector<Target> trained;  // models whose validations during training are drawn (Figure 5)
};
// Resolves names to what has to be measured. Throws UsageError that lists the known names.
Goals goals_of(const std::vector<std::string>& names, const Scale& scale);

// Returns the tokens of a split: as the paper reports them, or the demo's. Those of BookCorpus are not published.
double split_tokens(const Scale& scale, const Target& target);

// Fills in the seconds of what is missing, and the plan's `assumption`.
void estimate_seconds(ReproducePlan& plan, const Scale& scale);

}  // namespace longbow
