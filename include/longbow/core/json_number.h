// Reads numbers of our JSON files that may have no value. The JSON library writes infinities and NaN as null; this
// reads null back as NaN.
#pragma once

#include <limits>

#include "longbow/core/json.h"

namespace longbow {

// Returns the number at `key` of an object, or NaN where there is no number, null included. (Json::value() throws at
// null.)
inline double number_at(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_number() ? found->get<double>()
                                                       : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace longbow
