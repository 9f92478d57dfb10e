// Checks relations between keys, which no single field can state.
#pragma once

#include "longbow/config/fields.h"

namespace longbow {

// Resets to their defaults those keys that longbow has written and that have no effect with what the user has set, and
// removes them from `origins`.
void reset_ineffective_own_keys(Config& config, const ConfigContext& context, Origins& origins);

// Throws ConfigError for keys that were set but have no effect, and for keys that contradict each other.
void check_config(const Config& config, const ConfigContext& context, const Origins& origins);

}  // namespace longbow
