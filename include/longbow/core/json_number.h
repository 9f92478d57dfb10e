// Numbers of our JSON files that may have no value: the library writes what is not finite as null, and this reads it back.
#pragma once

#include <limits>

#include "longbow/core/json.h"

namespace longbow {

// The number at `key` of an object; not a number where there is none, null included (Json::value() throws at null).
inline double number_at(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_number() ? found->get<double>() : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace longbow
