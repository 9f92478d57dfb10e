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

// Tokens of a split: those that the paper reports, or the demo's. BookCorpus' are not published.
double split_tokens(const Scale& scale, const Target& target);

// Fills in the seconds of what is missing, and the plan's assumption.
void estimate_seconds(ReproducePlan& plan, const Scale& scale);

}  // namespace longbow
