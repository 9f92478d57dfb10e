// The JSON type of all rooms. It keeps keys in the order in which they were set, so that equal contents give equal
// files and files read well.
#pragma once

#include <nlohmann/json.hpp>

namespace longbow {

using Json = nlohmann::ordered_json;

}  // namespace longbow
