// Relations between keys that no single field can state.
#pragma once

#include "longbow/config/fields.h"

namespace longbow {

// Sets keys that longbow has written, and that have no effect with what the user has set, to their defaults; takes them out of `origins`.
void drop_own_without_effect(Config& config, const ConfigContext& context, Origins& origins);

// Keys that were set but have no effect here, and keys that contradict each other. Throws ConfigError.
void check_config(const Config& config, const ConfigContext& context, const Origins& origins);

}  // namespace longbow
