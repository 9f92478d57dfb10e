// What the config room has to be told about the rooms above it: the registered position methods and attention back-ends.
#pragma once

#include "longbow/config/load.h"

namespace longbow {

const ConfigContext& registered_config_context();

}  // namespace longbow
