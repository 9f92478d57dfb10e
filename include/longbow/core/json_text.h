// JSON as text and back, where strings come from outside and files may be damaged.
#pragma once

#include <string>
#include <string_view>

#include "longbow/core/json.h"

namespace longbow {

// The text of `json`, always UTF-8: strings that are not (names of files need not be) are written with \xHH for what is no UTF-8. Use this, not
// dump(), which throws there, wherever a string comes from outside. `indent` < 0: one line.
std::string json_text(const Json& json, int indent = -1);

// Discarded (is_discarded()) where `text` is no JSON value and nothing else. The library's own parser takes a NUL for the end.
Json parse_json(std::string_view text);

}  // namespace longbow
