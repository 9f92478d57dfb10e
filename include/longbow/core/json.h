// JSON keeps the order in which keys were set, so that files compare equal and read well.
#pragma once

#include <nlohmann/json.hpp>

namespace longbow {

using Json = nlohmann::ordered_json;

}  // namespace longbow
