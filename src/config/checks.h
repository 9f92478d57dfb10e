// Relations between keys that no single field can state.
#pragma once

#include <map>
#include <string>

#include "longbow/config/fields.h"

namespace longbow {

// Where each key that the user has set was set last: "train.length" -> "base.yaml:12".
using Origins = std::map<std::string, std::string>;

// Keys that were set but have no effect here, and keys that contradict each other. Throws ConfigError.
void check_config(const Config& config, const ConfigContext& context, const Origins& origins);

}  // namespace longbow
