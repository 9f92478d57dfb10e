// Reads a cell of a published table.
#pragma once

#include <yaml-cpp/yaml.h>

#include "longbow/paper/published.h"

namespace longbow {

PublishedCell read_published_cell(const YAML::Node& node);

}  // namespace longbow
